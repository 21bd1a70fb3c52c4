// Tables fitted to a width: columns are as wide as their widest cell, and when that is too much the
// ones that may shrink give way, widest first, cut in the middle. Pure.
import type { Style } from "./paint.ts";
import { displayWidth, padEnd, padStart, stripColour, truncateMiddle } from "./text.ts";

export interface Column {
  readonly title: string;
  /** Cut when the terminal is too narrow, never below SHRUNK_WIDTH_MIN columns. */
  readonly shrinks?: boolean;
  readonly alignRight?: boolean;
}

const GAP = "  ";
const SHRUNK_WIDTH_MIN = 8;

/** Lines without trailing blanks, the heading first. Every row has one cell per column. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  style: Style,
): string[] {
  const widths = fit(
    columns,
    columns.map((column, index) =>
      Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[index] ?? ""))),
    ),
    width,
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const cut =
          displayWidth(cell) > widths[index]!
            ? truncateMiddle(stripColour(cell), widths[index]!, style.glyphs.mark)
            : cell;
        return columns[index]!.alignRight === true
          ? padStart(cut, widths[index]!)
          : padEnd(cut, widths[index]!);
      })
      .join(GAP)
      .trimEnd();
  const heading = style.paint.bold(line(columns.map((column) => column.title)));
  return [heading, ...rows.map((row) => line(columns.map((_, index) => row[index] ?? "")))];
}

function fit(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const total = (): number =>
    widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      if (column.shrinks !== true || widths[index]! <= SHRUNK_WIDTH_MIN) continue;
      if (widest < 0 || widths[index]! > widths[widest]!) widest = index;
    }
    if (widest < 0) break;
    widths[widest]! -= 1;
  }
  return widths;
}

/** "Name:   value" lines with the values in one column; wide values go on, they are not cut. */
export function formatFields(
  fields: readonly (readonly [name: string, value: string])[],
  style: Style,
): string[] {
  const nameWidth = Math.max(0, ...fields.map(([name]) => displayWidth(name)));
  return fields.map(([name, value]) =>
    `${style.paint.dim(padEnd(name, nameWidth))}  ${value}`.trimEnd(),
  );
}
