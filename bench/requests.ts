// CSRs to issue for: a few hundred keys, so that no cache of one key flatters anybody.
import { generateKeyPairSync } from "node:crypto";
import { createCsr } from "#/identity/csr.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";

const requestCount = 256;

/** DER of distinct CSRs as our sidecars send them; with `id` they ask for that name. */
export function makeRequests(id: SpiffeId | null = null): readonly Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: requestCount }, () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return new Uint8Array(createCsr(privateKey, id));
  });
}
