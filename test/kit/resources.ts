// Resources as a controller tells them, of little content.
import type { Resource } from "#/api/discovery.ts";
import type { MtlsMode } from "#/api/policy.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";

export function policy(mode: MtlsMode, version: string = mode): Resource {
  const rule = {
    mode,
    ports: new Map<number, MtlsMode>(),
    requiresPostQuantum: false,
    foreignCallers: new Set<string>(),
    source: "test",
  };
  return { kind: "serverPolicy", name: "", version, policy: rule };
}

export function cluster(name: string): Resource {
  return { kind: "cluster", name, version: "1", cluster: { name, protocol: "tcp", endpoints: [] } };
}

export const bundle: Resource = {
  kind: "trustBundle",
  name: "",
  version: "1",
  bundle: { trustDomain: parseTrustDomain("cluster.local"), roots: [new Uint8Array([1])] },
};

export const suspensions: Resource = {
  kind: "suspensions",
  name: "",
  version: "1",
  suspended: new Set(),
};
