// How attacks ended, counted; and the table of it, corpora by origins.
import type { Outcome } from "./judge.ts";

export type Tally = Record<Outcome, number>;

export function emptyTally(): Tally {
  return { refused: 0, answered: 0, declined: 0, waiting: 0 };
}

/** One line for each corpus and way, one column for each origin. Every line ends with a line feed. */
export function tallyTable(origins: readonly (readonly [string, Record<string, Tally>])[]): string {
  const corpora = [...new Set(origins.flatMap(([, tallies]) => Object.keys(tallies)))];
  const head = ["", ...origins.map(([name]) => name)];
  const rows = [head];
  for (const corpus of corpora) {
    rows.push([corpus, ...origins.map(([, tallies]) => cellOf(tallies[corpus]))]);
  }
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const text = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  const legend = "refused by the sidecar / answered / declined by the origin / never complete";
  return ["", `Attacks that ended as they should: ${legend}`, ...text, "", ""].join("\n");
}

function cellOf(tally: Tally | undefined): string {
  if (tally === undefined) return "-";
  const { refused, answered, declined, waiting } = tally;
  return [refused, answered, declined, waiting].join("/");
}
