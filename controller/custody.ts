// Who has the mesh's keys, and where. A store holds one record of authorities (ca/rotation/record.ts), says
// when another takes its place, and writes the next one whole, under the version that was read.
import type { AuthorityRecord } from "#/ca/rotation/record.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import type { RotationRequest } from "./rotation/decide.ts";

export class CustodyError extends MeshError<"authority_unreadable" | "authority_unwritable"> {}

/** managed: the root's key is in the cluster. offline_root: it is not. folder: whoever filled it knows. */
type Custody = "managed" | "offline_root" | "folder";

export interface Stored {
  readonly custody: Custody;
  /** For people: where it was found. */
  readonly place: string;
  /** Its keys as they are, wrapped or not where it is stored. */
  readonly record: AuthorityRecord;
  /** Every key is wrapped where it is stored. */
  readonly isSealed: boolean;
  /** Of what was read; another one once it is written. */
  readonly version: string;
}

export interface AuthorityStore extends AsyncDisposable {
  /** What can be read of it, the last that could be. */
  readonly stored: Watch<Stored>;
  /** What was last asked for; null: nothing. */
  readonly request: Watch<RotationRequest | null>;
  /** Why nothing can be rotated here; null: it can. */
  readonly readOnly: string | null;
  /** In place of `over`, or rejects with MeshError: somebody else may have been faster. */
  write(record: AuthorityRecord, over: Stored): Promise<void>;
}

/** Says at each start and each change, loudly, who has the keys. */
export function tellCustody({ custody, place, isSealed }: Stored, facts: object, log: Log): void {
  const fields = { custody, place, keys_wrapped: isSealed, ...facts };
  if (custody !== "managed") log.info("authority in force", fields);
  else {
    const next =
      "Whoever may read it can be anybody; SECURITY.md says how to keep the root's key offline";
    log.warn("authority in force, with the root's key in the cluster", { ...fields, next });
  }
}

/** Whatever was wrong with what was found there. */
export function unusable(
  { custody, place }: Pick<Stored, "custody" | "place">,
  thrown: unknown,
): CustodyError {
  const state = `Cannot use ${place}: ${messageOf(thrown)}`;
  const told = thrown instanceof MeshError ? thrown.next : "";
  const next =
    custody === "folder"
      ? told
      : "Put root.crt, intermediate.crt and intermediate.key into it that belong together; or delete it for a new root, and nothing issued before is trusted";
  return new CustodyError("authority_unreadable", state, { cause: thrown, next });
}
