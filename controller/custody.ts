// Where the mesh's root comes from: files that somebody else made, or a Secret of the mesh's own
// namespace that the first controller makes. Two that start at once make two roots; the API server stores
// one, and both use that.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createIntermediate, createRoot } from "#/ca/authority-certificate.ts";
import { writeAuthority } from "#/ca/authority-pem.ts";
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { meshNamespace } from "./index/policies.ts";

class CustodyError extends MeshError<"authority_unreadable"> {}

/** PEM. */
export interface AuthorityMaterial {
  /** Every trusted root. */
  readonly roots: string;
  readonly intermediate: string;
  readonly intermediateKey: string;
}

export const secretName = "signet-ca";
const rootLifeMs = 10 * 365 * 86_400_000;
const intermediateLifeMs = 365 * 86_400_000;
/** For clocks that are behind ours. */
const backdateMs = 3_600_000;

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

/** From the Secret, which is made when there is none. Rejects with MeshError. */
export async function openSecret(options: SecretOptions): Promise<AuthorityMaterial> {
  const { client, log } = options;
  const present = await readSecret(client);
  if (present !== null) return present;
  const made = await makeData(options);
  const secrets = `/api/v1/namespaces/${meshNamespace}/secrets`;
  try {
    await client.call({
      method: "POST",
      path: secrets,
      query: { fieldManager: "signet-controller" },
      body: {
        apiVersion: "v1",
        kind: "Secret",
        metadata: {
          name: secretName,
          namespace: meshNamespace,
          labels: { "app.kubernetes.io/part-of": "signet" },
        },
        type: "signet.dev/authority",
        immutable: true,
        data: Object.fromEntries(
          Object.entries(made).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
        ),
      },
    });
    log.warn("a root was made, and its key stands in a Secret", {
      secret: `${meshNamespace}/${secretName}`,
      next: "Whoever may read it can be anybody: give the mesh an intermediate of an offline root instead",
    });
  } catch (error) {
    if (!(error instanceof KubernetesError && error.code === "conflict")) throw error;
  }
  const stored = await readSecret(client);
  if (stored !== null) return stored;
  throw unusable("it is gone again");
}

async function readSecret(client: KubernetesClient): Promise<AuthorityMaterial | null> {
  const path = `/api/v1/namespaces/${meshNamespace}/secrets/${secretName}`;
  let secret: { readonly data?: Readonly<Record<string, string>> };
  try {
    secret = (await client.call({ method: "GET", path })) as typeof secret;
  } catch (error) {
    if (error instanceof KubernetesError && error.code === "not_found") return null;
    throw error;
  }
  const text = (name: string): string => {
    const encoded = secret.data?.[name];
    if (encoded === undefined) throw unusable(`it has no "${name}"`);
    return Buffer.from(encoded, "base64").toString("utf8");
  };
  return {
    roots: text("root.crt"),
    intermediate: text("intermediate.crt"),
    intermediateKey: text("intermediate.key"),
  };
}

async function makeData({ trustDomain, clock }: SecretOptions): Promise<Record<string, string>> {
  const notBefore = clock.now() - backdateMs;
  const name = `signet root of ${trustDomain}`;
  const notAfter = clock.now() + rootLifeMs;
  const root = await createRoot({ name, trustDomain, notBefore, notAfter });
  const intermediate = await createIntermediate(root, {
    name: `signet intermediate of ${trustDomain}`,
    trustDomain,
    notBefore,
    notAfter: clock.now() + intermediateLifeMs,
  });
  const [above, below] = [writeAuthority(root), writeAuthority(intermediate)];
  return {
    "root.crt": above.certificate,
    "root.key": above.privateKey,
    "intermediate.crt": below.certificate,
    "intermediate.key": below.privateKey,
  };
}

function unusable(state: string): CustodyError {
  const subject = `Secret "${meshNamespace}/${secretName}"`;
  return new CustodyError("authority_unreadable", `Cannot use ${subject}: ${state}`, {
    next: "Put root.crt, intermediate.crt and intermediate.key into it, or delete it to make a new root",
  });
}
