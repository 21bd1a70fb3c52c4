// Where the time of a start went, from the log that the process itself writes. Pure.

/** A stretch of the start, and the log message that ends it. The last one ends when ready. */
export interface Phase {
  readonly metric: "issue_ms" | "discovery_ms";
  readonly endsWith: string | null;
}

export interface PhaseTime {
  readonly metric: Phase["metric"];
  readonly ms: number;
}

/**
 * Milliseconds of each phase, one after the other from `fromMs` (wall clock) to `readyMs`. A message that
 * is missing gives NaN there and after it. The log's own clock has whole milliseconds.
 */
export function readPhases(
  log: string,
  phases: readonly Phase[],
  fromMs: number,
  readyMs: number,
): readonly PhaseTime[] {
  let previousMs = fromMs;
  return phases.map(({ metric, endsWith }) => {
    const endMs = endsWith === null ? readyMs : timeOf(log, endsWith);
    const ms = endMs - previousMs;
    previousMs = endMs;
    return { metric, ms };
  });
}

/** When a message was first logged, wall clock; NaN when it never was. */
function timeOf(log: string, message: string): number {
  for (const line of log.split("\n")) {
    if (!line.includes(`"msg":${JSON.stringify(message)}`)) continue;
    const { time } = JSON.parse(line) as { readonly time: string };
    return Date.parse(time);
  }
  return Number.NaN;
}
