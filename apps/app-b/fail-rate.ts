// How many of a hundred requests fail on purpose. Changed while running, so that a tour can show what
// the mesh makes of it.

/** Reads a percentage from 0 to 100, fractions allowed; null when it is none. */
export function parseFailRate(text: string): number | null {
  const trimmed = text.trim();
  if (!/^\d{1,3}(?:\.\d{1,6})?$/.test(trimmed)) return null;
  const rate = Number(trimmed);
  return rate <= 100 ? rate : null;
}

/** `random` is in [0, 1): at rate 0 nothing fails, at 100 everything does. */
export function fails(ratePercent: number, random: number): boolean {
  return random * 100 < ratePercent;
}
