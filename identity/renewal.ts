// When a certificate is renewed: after a third of its life, each sidecar at its own moment. Two
// thirds are then left for an outage of the controller.

export interface CertificateLife {
  /** When it was received, by the clock that will be asked when to renew; ms since the Unix epoch. */
  readonly issuedAt: number;
  readonly notAfter: number;
}

/** The share of a third by which renewals are spread, to both sides. */
const jitterShare = 0.1;

/**
 * When to renew, milliseconds since the epoch; `random` is in [0, 1). Counted from when life began
 * for us: `notBefore` lies before that, by what the CA grants to slow clocks. A certificate that has
 * ended by our clock is renewed at once.
 */
export function renewalAtMs(life: CertificateLife, random: number): number {
  const lifeMs = life.notAfter - life.issuedAt;
  if (lifeMs <= 0) return life.issuedAt;
  const factor = 1 + jitterShare * (2 * random - 1);
  return life.issuedAt + Math.round((lifeMs / 3) * factor);
}
