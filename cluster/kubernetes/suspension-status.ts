// Tells whoever wrote an IdentitySuspension, on the object itself, whether it is in force: condition
// Accepted, with what is wrong when it is not.
import { DecodeError } from "../decode-error.ts";
import { decodeObject } from "../decode.ts";
import type { Verdict } from "./condition.ts";
import { conditionOf, generationOf, isTold } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusKeeper, StatusParts, StatusPatch } from "./status-keeper.ts";
import { keepStatus } from "./status-keeper.ts";
import { fieldManager } from "./writer.ts";

/** What is made of the suspensions, by name. */
export interface SuspensionView {
  /** Whether a version of it is in force. */
  readonly isInForce: (name: string) => boolean;
  /** What is wrong with what it names; null when nothing is, or it is not known yet. */
  readonly faultOf: (name: string) => string | null;
}

export interface SuspensionStatusOptions extends StatusParts {
  readonly view: SuspensionView;
}

/** What is remembered of a suspension. */
export interface KeptSuspension {
  /** Why it cannot be read at all, or null. */
  readonly fault: string | null;
  readonly generation: number;
  /** As they stand there. */
  readonly conditions: unknown;
}

const apiVersion = "signet.dev/v1alpha1";
const kind = "IdentitySuspension";

/** Writes until disposed of. */
export function writeSuspensionStatus(options: SuspensionStatusOptions): StatusKeeper {
  return keepStatus({
    ...options,
    groupVersion: apiVersion,
    resource: "identitysuspensions",
    keep: keepSuspension,
    due: (name, kept, now) => dueSuspensionPatch(name, kept, options.view, now),
  });
}

export function keepSuspension(object: RawObject): KeptSuspension {
  const { conditions } = (object["status"] ?? {}) as { readonly conditions?: unknown };
  return { fault: unreadable(object), generation: generationOf(object.metadata), conditions };
}

/** What is to be said of it; null when it stands there already, or nothing is known yet. Pure. */
export function dueSuspensionPatch(
  name: string,
  { fault, generation, conditions: told }: KeptSuspension,
  view: SuspensionView,
  now: number,
): StatusPatch | null {
  const verdict = verdictOf(name, fault ?? view.faultOf(name), view);
  if (verdict === null) return null;
  const condition = conditionOf("Accepted", verdict, { generation, told, now });
  if (isTold(condition, told)) return null;
  return {
    query: { fieldManager, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion, kind, metadata: { name }, status: { conditions: [condition] } },
  };
}

function verdictOf(name: string, fault: string | null, view: SuspensionView): Verdict | null {
  const isInForce = view.isInForce(name);
  if (fault === null) {
    return isInForce ? { status: "True", reason: "Accepted", message: "In force" } : null;
  }
  const instead = isInForce
    ? "the last version that could be read stays in force"
    : "until then it suspends nobody";
  const message = `${fault}. Correct it, or delete it and create another one; ${instead}`;
  return { status: "False", reason: "Invalid", message };
}

function unreadable(object: RawObject): string | null {
  try {
    decodeObject({ ...object, apiVersion, kind });
    return null;
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    return thrown.message;
  }
}
