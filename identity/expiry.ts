// How near its end a certificate is that a person has to replace: said at half of its life, told again at a
// quarter, and an alarm at a tenth. Pure.

export interface Life {
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** ample: more than half of its life is left; then less than 50, 25 and 10 %; ended: none. */
export type Expiry = "ample" | "half" | "quarter" | "tenth" | "ended";

export function expiryOf(life: Life, now: number): Expiry {
  const left = shareLeft(life, now);
  if (left <= 0) return "ended";
  if (left <= 0.1) return "tenth";
  if (left <= 0.25) return "quarter";
  return left <= 0.5 ? "half" : "ample";
}

/** 1 at its beginning, 0 at its end and after it. */
export function shareLeft({ notBefore, notAfter }: Life, now: number): number {
  const wholeMs = notAfter - notBefore;
  if (wholeMs <= 0) return 0;
  return Math.min(1, Math.max(0, (notAfter - now) / wholeMs));
}
