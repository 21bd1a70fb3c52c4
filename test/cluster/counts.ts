// What a run of tests comes to, and the line that says so.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function total(parts: readonly Counts[]): Counts {
  const sum = (of: keyof Counts): number => parts.reduce((all, counts) => all + counts[of], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}

export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** What a closing line says; null for any other line. */
export function countsOf(line: string): Counts | null {
  const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
  if (match === null) return null;
  const [, passed, failed, skipped] = match.map(Number) as [number, number, number, number];
  return { passed, failed, skipped };
}
