// How long a caller will wait, as it says itself: grpc-timeout, digits and a letter. Pure.

const unitsMs: Readonly<Record<string, number>> = {
  n: 1e-6,
  u: 1e-3,
  m: 1,
  S: 1_000,
  M: 60_000,
  H: 3_600_000,
};

/** Milliseconds; null when it is none. At most eight digits, as the protocol has it. */
export function readTimeout(text: string): number | null {
  const found = /^(\d{1,8})([numSMH])$/.exec(text);
  return found === null ? null : Number(found[1]) * unitsMs[found[2]!]!;
}
