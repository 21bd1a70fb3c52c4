// What a mesh hangs on: a root and an intermediate under it, with the names and lives they have wherever
// they are made, and the Secret in which a cluster's controllers find them.
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Authority, AuthorityKeys } from "./authority-certificate.ts";
import { createIntermediate, createRoot } from "./authority-certificate.ts";
import { writeAuthority } from "./authority-pem.ts";

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

/**
 * The Secret as an object to create or apply. With the root's key it cannot be changed: nothing issued
 * before would be trusted. Without, a newer intermediate takes the place of the older one.
 */
export function toSecret({ root, intermediate, withRootKey }: SecretContent): object {
  const [above, below] = [writeAuthority(root), writeAuthority(intermediate)];
  const files = {
    "root.crt": above.certificate,
    ...(withRootKey ? { "root.key": above.privateKey } : {}),
    "intermediate.crt": below.certificate,
    "intermediate.key": below.privateKey,
  };
  const { namespace, name, type } = authoritySecret;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "signet" } },
    type,
    immutable: withRootKey,
    data: Object.fromEntries(
      Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString("base64")]),
    ),
  };
}
