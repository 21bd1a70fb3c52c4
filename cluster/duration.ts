// Durations as the Gateway API writes them (GEP-2257): "25ms", "10s", "1h30m".

const form = /^(\d{1,5}h)?(\d{1,5}m)?(\d{1,5}s)?(\d{1,5}ms)?$/;
const unitsMs = [3_600_000, 60_000, 1000, 1];

/** Milliseconds, or null when it is no duration. "0s" is 0. */
export function durationMs(text: string): number | null {
  const match = form.exec(text);
  if (match === null || text === "") return null;
  return unitsMs.reduce((sum, unitMs, index) => {
    const part = match[index + 1];
    return part === undefined ? sum : sum + Number.parseInt(part, 10) * unitMs;
  }, 0);
}
