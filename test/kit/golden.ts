// Golden files: what a function makes, kept as a file that people review. With UPDATE_GOLDEN=1 the run
// writes what it finds instead of comparing; read the difference before it is committed.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** The text that `actual` must equal. With UPDATE_GOLDEN=1 writes `actual` first; a missing file throws. */
export function golden(file: URL, actual: string): string {
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, actual);
  if (existsSync(file)) return readFileSync(file, "utf8");
  throw new Error(
    `Cannot compare with "${file.pathname}": it is missing, run with UPDATE_GOLDEN=1`,
  );
}

/** JSON as golden files keep it. */
export function goldenJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
