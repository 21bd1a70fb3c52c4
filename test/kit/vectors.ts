// Vectors: tables of input and expected outcome, kept as data files under test/vectors.
import { readFileSync } from "node:fs";

/** The rows of test/vectors/<file>; the caller knows their shape and says so with `as`. */
export function readVectors(file: string): unknown {
  const text = readFileSync(new URL(`../vectors/${file}`, import.meta.url), "utf8");
  return JSON.parse(text) as unknown;
}

/** Each character of a vector is one byte. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
