// What a mesh hangs on: a root and an intermediate under it, with the names and lives they have wherever
// they are made, and the Secret in which a cluster's controllers find them.
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Authority, AuthorityKeys } from "./authority-certificate.ts";
import { toPem } from "#/identity/bundle.ts";
import {
  certifyIntermediate,
  createIntermediate,
  createLink,
  createRoot,
} from "./authority-certificate.ts";
import { readAuthority, writeAuthority } from "./authority-pem.ts";
import { CaError } from "./ca-error.ts";
import { toTexts } from "./rotation/record.ts";
import type { AuthorityRecord, Keyed, RotationKind } from "./rotation/record.ts";
import { inForce } from "./rotation/rotation.ts";
import type { Made } from "./rotation/rotation.ts";

export const rootLifeMs: number = 10 * 365 * 86_400_000;
export const intermediateLifeMs: number = 365 * 86_400_000;
/** For clocks that are behind ours. */
const backdateMs = 3_600_000;

export function makeRoot(
  trustDomain: TrustDomain,
  now: number,
  keys: AuthorityKeys = "p-256",
): Promise<Authority> {
  const name = `signet root of ${trustDomain}`;
  const [notBefore, notAfter] = [now - backdateMs, now + rootLifeMs];
  return createRoot({ name, trustDomain, notBefore, notAfter, keys });
}

/** With a key of the same kind as the root's. */
export function makeIntermediate(
  root: Authority,
  trustDomain: TrustDomain,
  now: number,
): Promise<Authority> {
  const name = `signet intermediate of ${trustDomain}`;
  const [notBefore, notAfter] = [now - backdateMs, now + intermediateLifeMs];
  const keys = keysOf(root);
  return createIntermediate(root, { name, trustDomain, notBefore, notAfter, keys });
}

export function keysOf({ privateKey }: Authority): AuthorityKeys {
  return privateKey.asymmetricKeyType === "ml-dsa-65" ? "ml-dsa-65" : "p-256";
}

/** An intermediate for a key that is held where the mesh is: DER of its certificate. */
export function signIntermediate(
  root: Authority,
  publicKey: Uint8Array,
  trustDomain: TrustDomain,
  now: number,
): Promise<Uint8Array> {
  const name = `signet intermediate of ${trustDomain}`;
  const [notBefore, notAfter] = [now - backdateMs, now + intermediateLifeMs];
  return certifyIntermediate(root, publicKey, { name, trustDomain, notBefore, notAfter });
}

export const authoritySecret = {
  namespace: "signet-system",
  name: "signet-ca",
  type: "signet.dev/authority",
} as const;

export interface SecretContent {
  readonly root: Authority;
  readonly intermediate: Authority;
  /** Whether the root's key goes along; without it whoever reads the Secret can sign no intermediate. */
  readonly withRootKey: boolean;
}

/** Nothing under way. */
export function newRecord({ root, intermediate, withRootKey }: SecretContent): AuthorityRecord {
  const [above, below] = [writeAuthority(root), writeAuthority(intermediate)];
  return {
    roots: [above.certificate],
    links: [],
    rootKey: withRootKey ? above.privateKey : null,
    intermediate: below.certificate,
    intermediateKey: below.privateKey,
    rotation: null,
    last: null,
    pending: null,
    handled: "",
  };
}

/**
 * What takes the place of the hierarchy in force: new keys, and for a new root its link. Rejects with
 * CaError `rotation_refused` where the root's key is not at hand.
 */
export async function makeNext(
  record: AuthorityRecord,
  of: RotationKind,
  trustDomain: TrustDomain,
  now: number,
): Promise<Made> {
  const { root: above } = inForce(record);
  if (above.key === null) {
    throw new CaError("rotation_refused", "Cannot rotate: the root's key is kept elsewhere", {
      next: "Make the next intermediate where that key is; SECURITY.md says how",
    });
  }
  const present = readAuthority(above.certificate, above.key);
  const root = of === "root" ? await makeRoot(trustDomain, now, keysOf(present)) : present;
  const link = of === "root" ? toPem(await createLink(present, root.certificate)) : null;
  const intermediate = await makeIntermediate(root, trustDomain, now);
  return { root: keyed(root), intermediate: keyed(intermediate), link };
}

function keyed(authority: Authority): Keyed {
  const { certificate, privateKey } = writeAuthority(authority);
  return { certificate, key: privateKey };
}

/** The Secret as an object to create or apply. Whoever writes it anew does so under the version it read. */
export function toSecret(record: AuthorityRecord): object {
  const { namespace, name, type } = authoritySecret;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "signet" } },
    type,
    data: Object.fromEntries(
      Object.entries(toTexts(record)).map(([file, text]) => [
        file,
        Buffer.from(text).toString("base64"),
      ]),
    ),
  };
}
