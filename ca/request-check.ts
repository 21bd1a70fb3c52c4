// What a request may ask for: nothing, or exactly what its sender is. Pure. The certificate would be
// the same anyway (template.ts takes the public key alone), but whoever asks for more is either broken
// or an attacker, and both should be heard of (attack cases 1 to 3).
import { tokenBinding } from "#/identity/csr.ts";
import type { CsrFacts } from "#/identity/csr.ts";
import { oid } from "#/identity/object-identifiers.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { CaError } from "./ca-error.ts";

/**
 * Throws CaError unless whoever has the key made this request for this very token (attack case 10): a request
 * that somebody else made, or made for another token, would bind a stranger's key to the token's identity.
 */
export function checkBinding({ binding }: Pick<CsrFacts, "binding">, token: string): void {
  if (binding === tokenBinding(token)) return;
  const state = binding === null ? "it is bound to no token" : "it was made for another token";
  throw new CaError("csr_not_bound", `Cannot believe CSR: ${state}`, {
    next: "Make a new key and a new request for each certificate; see createCsr",
  });
}

/** Throws CaError unless the request asks for nothing but, at most, `id`, which the token proved. */
export function checkRequest(csr: CsrFacts, id: SpiffeId): void {
  if (csr.asksForAuthority) {
    throw new CaError(
      "csr_asks_for_authority",
      `Cannot issue for "${id}": it asks for an authority`,
    );
  }
  if (csr.hasSubject) {
    throw new CaError("csr_asks_for_names", `Cannot issue for "${id}": it asks for a subject`, {
      next: "Leave the subject empty: an identity is one URI",
    });
  }
  const [name, ...others] = csr.names;
  if (others.length > 0) {
    const count = others.length + 1;
    throw new CaError("csr_asks_for_names", `Cannot issue for "${id}": it asks for ${count} names`);
  }
  if (name !== undefined && name.kind !== "uri") {
    const state = `it asks for a name of kind "${name.kind}"`;
    throw new CaError("csr_asks_for_names", `Cannot issue for "${id}": ${state}`);
  }
  // Whole strings, never a pattern or a prefix (attack cases 7 and 8).
  if (name !== undefined && name.value !== id) {
    const asked = name.value.slice(0, 128);
    throw new CaError("csr_asks_for_identity", `Cannot issue for "${asked}": token is for "${id}"`);
  }
  const extra =
    csr.extensionOids.find((type) => type !== oid.subjectAlternativeName) ?? csr.otherAttributes[0];
  if (extra !== undefined) {
    throw new CaError("csr_asks_for_extensions", `Cannot issue for "${id}": it asks for ${extra}`);
  }
}
