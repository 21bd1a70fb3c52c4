// CSRs to issue for: a few hundred keys at least, so that no cache of one key flatters anybody.
import { generateKeyPairSync } from "node:crypto";
import { createCsr } from "#/identity/csr.ts";
import type { CsrOptions } from "#/identity/csr.ts";

const requestCount = 256;

/** DER of distinct CSRs as our sidecars send them: each key is certified once. */
export function makeRequests(
  options: CsrOptions = {},
  count: number = requestCount,
): readonly Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: count }, () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return new Uint8Array(createCsr(privateKey, options));
  });
}
