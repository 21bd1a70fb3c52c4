// The controller's answer to a request for a certificate, believed no more than a stranger's. Pure but
// for node:crypto.
import { createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { IssueResponse } from "#/api/identity.ts";
import { IdentityError } from "#/identity/identity-error.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
import type { LeafFacts, Svid } from "#/identity/svid.ts";
import { verifyChain } from "#/identity/verify.ts";
import { messageOf } from "#/lib/errors.ts";
import { receiptFault } from "#/transparency/receipt.ts";
import { CertifyError } from "./certify-error.ts";

export interface Asked {
  /** Of which a certificate was asked for. */
  readonly privateKey: KeyObject;
  /** The identity that the token stands for. */
  readonly ownId: SpiffeId;
  readonly trustDomain: TrustDomain;
  /** DER of what is trusted now; what the answer itself brings along is not looked at. */
  readonly roots: readonly Uint8Array[];
}

/** Throws CertifyError unless the answer is a certificate of our key and identity, good at `now` and logged. */
export function checkAnswer(response: IssueResponse, asked: Asked, now: number): Svid {
  const chain = response.certificateChain;
  const leaf = verified(chain, asked, now);
  if (leaf.id !== asked.ownId) {
    throw refused("answer_foreign_identity", `it is for "${leaf.id}", not for "${asked.ownId}"`);
  }
  const own = createPublicKey(asked.privateKey).export({ type: "spki", format: "der" });
  if (!own.equals(leaf.publicKey)) throw refused("answer_foreign_key", "it is of another key");
  const { receipt } = response;
  const unlogged = receiptFault(receipt, chain);
  if (unlogged !== null) throw refused("answer_not_logged", `it is in no log: ${unlogged}`);
  const { id, notBefore, notAfter, serial } = leaf;
  const { privateKey } = asked;
  return { id, chain, privateKey, notBefore, notAfter, serial, logIndex: receipt.index };
}

function verified(chain: readonly Uint8Array[], asked: Asked, now: number): LeafFacts {
  try {
    return verifiedAt(chain, asked, now);
  } catch (error) {
    const code = error instanceof IdentityError ? error.code : null;
    const aboutTime = code === "chain_not_yet_valid" || code === "chain_expired";
    if (aboutTime) throw clockFault(chain, asked, now, error);
    throw refused("answer_invalid", messageOf(error), error);
  }
}

/** The certificate serves both ends of a connection: it must stand as either. */
function verifiedAt(chain: readonly Uint8Array[], asked: Asked, now: number): LeafFacts {
  const { roots, trustDomain } = asked;
  verifyChain(chain, roots, now, { trustDomain, purpose: "server" });
  return verifyChain(chain, roots, now, { trustDomain, purpose: "client" });
}

/** A fresh certificate that is only out of time tells of a clock that is wrong, most likely this one. */
function clockFault(
  chain: readonly Uint8Array[],
  asked: Asked,
  now: number,
  cause: unknown,
): CertifyError {
  const { notBefore, notAfter } = readLeaf(chain[0]!);
  try {
    verifiedAt(chain, asked, notBefore);
  } catch {
    return refused("answer_invalid", messageOf(cause), cause);
  }
  const next = "Compare the clocks of this node and of the controller's, and set the wrong one";
  if (now < notBefore) {
    const state = `by this clock it begins in ${notBefore - now} ms`;
    return refused("clock_behind", state, cause, next);
  }
  return refused("clock_ahead", `by this clock it ended ${now - notAfter} ms ago`, cause, next);
}

function refused(
  code: CertifyError["code"],
  state: string,
  cause?: unknown,
  next = "",
): CertifyError {
  return new CertifyError(code, `Cannot use what was issued: ${state}`, { cause, next });
}
