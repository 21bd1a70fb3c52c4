// Each line (a name with its value) that may come again has a number, so that who saw it once need not
// look at its bytes again. Two lines never share a number; one line may have several over time.
import { STATIC_ENTRIES } from "./static-table.ts";

/** Not numbered: came as a literal that its sender did not want kept. */
export const LINE_NONE = 0;

/** May come again but has no number: equal to no other, itself included. */
export const LINE_UNNUMBERED: number = Number.NaN;

// 1 to 61 are the entries of the static table. Above 2^31 it is a double, still exact to 2^53.
let next = STATIC_ENTRIES + 1;

/** A number that no line of this process had before. */
export function nextLine(): number {
  const line = next;
  next += 1;
  return line;
}
