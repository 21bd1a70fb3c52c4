// No connection outlives the identities that opened it: when it must stop taking new work, and when
// what is left of it is cut. Pure.

export interface ConnectionLife {
  /** Wall clock ms: no new stream begins from here on. */
  readonly drainAtMs: number;
  /** Wall clock ms: the earlier end of both certificates. */
  readonly cutAtMs: number;
}

export const drainMarginMinMs = 2_000;
export const drainMarginMaxMs = 10_000;

/** A sixth of what is left, within the bounds above, is kept for draining. */
export function connectionLife(
  nowMs: number,
  ownNotAfterMs: number,
  peerNotAfterMs: number,
): ConnectionLife {
  const cutAtMs = Math.min(ownNotAfterMs, peerNotAfterMs);
  const margin = (cutAtMs - nowMs) / 6;
  const bounded = Math.min(drainMarginMaxMs, Math.max(drainMarginMinMs, margin));
  return { drainAtMs: cutAtMs - bounded, cutAtMs };
}
