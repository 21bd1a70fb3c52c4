// Who has the mesh's keys. On a cluster a Secret of the mesh's own namespace is looked at: the first
// controller makes it with a root of its own, key included (managed); or somebody put an intermediate there
// whose root's key is elsewhere (offline root), and then it is used as it is and never written. Elsewhere, or
// when it is told so, files have it. Two controllers that start at once make two roots; the API server
// stores one, and both use that.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { authoritySecret, makeIntermediate, makeRoot, toSecret } from "#/ca/mesh-authorities.ts";
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";

class CustodyError extends MeshError<"authority_unreadable"> {}

/** managed: the root's key is in the cluster. offline_root: it is not. folder: whoever filled it knows. */
type Custody = "managed" | "offline_root" | "folder";

/** PEM. */
export interface AuthorityMaterial {
  readonly custody: Custody;
  /** For people: where it was found. */
  readonly place: string;
  /** Every trusted root. */
  readonly roots: string;
  readonly intermediate: string;
  readonly intermediateKey: string;
}

/** From root.crt, intermediate.crt and intermediate.key in `folder`. */
export async function readFolder(folder: string): Promise<AuthorityMaterial> {
  const read = async (name: string): Promise<string> => {
    const file = path.join(folder, name);
    try {
      return await readFile(file, "utf8");
    } catch (cause) {
      throw new CustodyError("authority_unreadable", `Cannot read "${file}": ${messageOf(cause)}`, {
        cause,
        next: "Set SIGNET_CA_DIRECTORY to a folder with root.crt, intermediate.crt and intermediate.key",
      });
    }
  };
  return {
    custody: "folder",
    place: `folder "${folder}"`,
    roots: await read("root.crt"),
    intermediate: await read("intermediate.crt"),
    intermediateKey: await read("intermediate.key"),
  };
}

export interface SecretOptions {
  readonly client: KubernetesClient;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly log: Log;
}

const { namespace, name: secretName } = authoritySecret;
const place = `Secret "${namespace}/${secretName}"`;

/** From the Secret, which is made when there is none. Rejects with MeshError. */
export async function openSecret(options: SecretOptions): Promise<AuthorityMaterial> {
  const { client, trustDomain, clock, log } = options;
  const present = await readSecret(client);
  if (present !== null) return present;
  const root = await makeRoot(trustDomain, clock.now());
  const intermediate = await makeIntermediate(root, trustDomain, clock.now());
  try {
    await client.call({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/secrets`,
      query: { fieldManager: "signet-controller" },
      body: toSecret({ root, intermediate, withRootKey: true }),
    });
    log.warn("a root was made", { place });
  } catch (error) {
    if (!(error instanceof KubernetesError && error.code === "conflict")) throw error;
  }
  const stored = await readSecret(client);
  if (stored !== null) return stored;
  throw unusable("it is gone again");
}

async function readSecret(client: KubernetesClient): Promise<AuthorityMaterial | null> {
  let secret: { readonly data?: Readonly<Record<string, string>> | null };
  try {
    const path = `/api/v1/namespaces/${namespace}/secrets/${secretName}`;
    secret = (await client.call({ method: "GET", path })) as typeof secret;
  } catch (error) {
    if (error instanceof KubernetesError && error.code === "not_found") return null;
    throw error;
  }
  const data = secret.data ?? {};
  const text = (name: string): string => {
    const encoded = data[name] ?? "";
    if (encoded === "") throw unusable(`it has no "${name}"`);
    return Buffer.from(encoded, "base64").toString("utf8");
  };
  return {
    custody: "root.key" in data ? "managed" : "offline_root",
    place,
    roots: text("root.crt"),
    intermediate: text("intermediate.crt"),
    intermediateKey: text("intermediate.key"),
  };
}

/** Says at each start, loudly, who has the keys. */
export function tellCustody({ custody, place }: AuthorityMaterial, facts: object, log: Log): void {
  const fields = { custody, place, ...facts };
  if (custody !== "managed") log.info("authority in force", fields);
  else {
    const next =
      "Whoever may read it can be anybody; SECURITY.md says how to keep the root's key offline";
    log.warn("authority in force, with the root's key in the cluster", { ...fields, next });
  }
}

/** Whatever was wrong with what was found there. */
export function unusableMaterial(
  { custody, place }: AuthorityMaterial,
  thrown: unknown,
): MeshError {
  if (custody !== "folder") return unusable(messageOf(thrown), thrown);
  const state = `Cannot use ${place}: ${messageOf(thrown)}`;
  const next = thrown instanceof MeshError ? thrown.next : "";
  return new CustodyError("authority_unreadable", state, { cause: thrown, next });
}

function unusable(state: string, cause?: unknown): CustodyError {
  return new CustodyError("authority_unreadable", `Cannot use ${place}: ${state}`, {
    cause,
    next: "Put root.crt, intermediate.crt and intermediate.key into it that belong together; or delete it for a new root, and nothing issued before is trusted",
  });
}
