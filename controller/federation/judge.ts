// Whether a document that came from where it should may replace the bundle that is held. Pure.
import { fingerprint } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import { readForeignBundle } from "#/identity/foreign-bundle.ts";
import type { ForeignBundle } from "#/identity/foreign-bundle.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { FederationError } from "./federation-error.ts";

export interface JudgeFacts {
  readonly trustDomain: TrustDomain;
  /** null: none yet. */
  readonly held: Pick<ForeignBundle, "sequence"> | null;
  /** Of every other trust domain that is believed, the own one among them: DER. */
  readonly others: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
}

/** Throws FederationError (bundle_refused) for one that must not be taken up; then what is held stays. */
export function judgeBundle(
  text: string,
  { trustDomain, held, others }: JudgeFacts,
): ForeignBundle {
  let bundle: ForeignBundle;
  try {
    bundle = readForeignBundle(text, trustDomain);
  } catch (cause) {
    throw refused(messageOf(cause), cause);
  }
  const { sequence, roots } = bundle;
  if (held !== null && held.sequence !== null) {
    if (sequence === null)
      throw refused(`it has no sequence, and ${held.sequence} was there before`);
    if (sequence < held.sequence) {
      throw refused(`its sequence ${sequence} is behind ${held.sequence}, which was there before`);
    }
  }
  checkOwnership(roots, others);
  return bundle;
}

/** A key that signs for two trust domains would make the one's word the other's. */
export function checkOwnership(roots: readonly Uint8Array[], others: JudgeFacts["others"]): void {
  const keys = new Set(roots.map(keyOf));
  for (const [other, theirs] of others) {
    if (!theirs.some((root) => keys.has(keyOf(root)))) continue;
    throw refused(`a root in it has the key of a root of trust domain "${other}"`);
  }
}

function keyOf(root: Uint8Array): string {
  return fingerprint(readCertificate(root).publicKey.der);
}

function refused(state: string, cause?: unknown): FederationError {
  return new FederationError("bundle_refused", `Cannot take the bundle up: ${state}`, { cause });
}
