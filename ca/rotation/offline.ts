// An intermediate whose root's key is elsewhere: the key is made here, its request is carried out to the root,
// and the certificate is carried in. What comes in is believed only as far as it proves itself: it is of the
// key that was asked for, and an issuer under it leads to a root that the mesh trusts already.
import { generateKeyPairSync } from "node:crypto";
import { createCsr } from "#/identity/csr.ts";
import { toCsrPem } from "#/identity/csr-pem.ts";
import { parsePem } from "#/identity/bundle.ts";
import { messageOf } from "#/lib/errors.ts";
import { readAuthority } from "../authority-pem.ts";
import { CaError } from "../ca-error.ts";
import { IssuerSource } from "../issuer.ts";
import type { IssuerOptions } from "../issuer.ts";
import type { AuthorityRecord, PendingKey } from "./record.ts";
import { inForce } from "./rotation.ts";
import type { Made } from "./rotation.ts";

export function makePending(): PendingKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return { request: toCsrPem(createCsr(privateKey)), key };
}

/** What `certificate` (PEM) makes of the pending key. Rejects with CaError `rotation_refused`. */
export async function acceptPending(
  record: AuthorityRecord,
  certificate: string,
  options: Omit<IssuerOptions, "intermediate" | "roots">,
): Promise<Made> {
  const { pending } = record;
  if (pending === null) throw refused("no request is pending", "signet ca request");
  try {
    const intermediate = readAuthority(certificate, pending.key);
    const roots = parsePem(record.roots.join(""));
    // Makes an issuer and a leaf for trial, and verifies the chain as a sidecar would.
    (await IssuerSource.start({ ...options, intermediate, roots })).stop();
  } catch (thrown) {
    const next = "Have the root sign what signet ca request printed last";
    throw refused(`the certificate is not the one that was asked for: ${messageOf(thrown)}`, next);
  }
  const { root } = inForce(record);
  return { root, intermediate: { certificate, key: pending.key }, link: null };
}

function refused(state: string, next: string): CaError {
  return new CaError("rotation_refused", `Cannot install: ${state}`, { next });
}
