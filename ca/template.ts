// From what was proven to what will be signed: pure. Nothing of a request reaches a certificate except
// its public key; everything else is decided here.
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { CaError } from "./ca-error.ts";

export const lifetimeDefaultS = 900;
const lifetimeMinS = 30;
const lifetimeMaxS = 86_400;
/** For sidecars whose clock is behind ours (attack case 18). */
export const backdateMs = 60_000;

export interface LeafTemplate {
  /** The workload that proved itself. */
  readonly id: SpiffeId;
  /** Empty: an X.509-SVID of `id`. Else a serving certificate of these names, which names no identity. */
  readonly dnsNames: readonly string[];
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** Milliseconds since the Unix epoch, whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface TemplateRequest {
  readonly id: SpiffeId;
  readonly dnsNames: readonly string[];
  readonly publicKey: Uint8Array;
  /** Seconds asked for; 0 asks for `lifetimeDefaultS`. */
  readonly lifetimeS: number;
  readonly lifetimeDefaultS: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly issuer: { readonly notBefore: number; readonly notAfter: number };
}

/**
 * What to sign. Throws CaError for a life outside of 30 s to 24 h, and when the issuer has no time
 * left for the shortest one: a leaf never outlives its issuer, it is cut to it.
 */
export function leafTemplate(request: TemplateRequest): LeafTemplate {
  const { id, dnsNames, publicKey, now, issuer } = request;
  const lifetimeS = checkLifetime(
    request.lifetimeS === 0 ? request.lifetimeDefaultS : request.lifetimeS,
  );
  const notBefore = wholeSecond(Math.max(now - backdateMs, issuer.notBefore));
  const notAfter = wholeSecond(Math.min(now + lifetimeS * 1000, issuer.notAfter));
  if (now < issuer.notBefore || notAfter - now < Math.min(lifetimeS, lifetimeMinS) * 1000 - 1000) {
    throw new CaError("issuer_expired", "Cannot issue: the issuer has no time left", {
      next: "See why the issuer was not renewed; the intermediate may have ended",
    });
  }
  return { id, dnsNames, publicKey, notBefore, notAfter };
}

/** Throws CaError unless whole seconds from 30 to 86400. */
export function checkLifetime(lifetimeS: number): number {
  if (Number.isInteger(lifetimeS) && lifetimeS >= lifetimeMinS && lifetimeS <= lifetimeMaxS) {
    return lifetimeS;
  }
  throw new CaError(
    "lifetime_out_of_range",
    `Cannot issue for ${lifetimeS} s: a life has ${lifetimeMinS} to ${lifetimeMaxS} s`,
  );
}

function wholeSecond(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}
