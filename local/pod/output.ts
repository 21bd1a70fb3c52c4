// What a container writes: its last lines in memory, all of it in a file that is bounded. Outlives the
// container's restarts, so that a crash can be read afterwards.
import { closeSync, openSync, renameSync, writeSync } from "node:fs";

export const linesKept = 400;
export const lineCharactersMax = 8192;
/** Bytes of one file; the one before it is kept beside it as `.1`. */
export const fileBytesMax: number = 8 * 1024 * 1024;

export class Output {
  readonly file: string;
  readonly #bytesMax: number;
  #descriptor: number | null;
  #bytes = 0;
  readonly #lines: string[] = [];
  #held = "";

  constructor(file: string, bytesMax: number = fileBytesMax) {
    this.file = file;
    this.#bytesMax = bytesMax;
    this.#descriptor = openSync(file, "a", 0o600);
  }

  /** The last lines, the oldest first; an unfinished one is not among them. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  write(text: string): void {
    this.#writeFile(text);
    const parts = (this.#held + text).split("\n");
    this.#held = (parts.pop() ?? "").slice(0, lineCharactersMax);
    for (const line of parts) this.#lines.push(line.slice(0, lineCharactersMax));
    if (this.#lines.length > linesKept) this.#lines.splice(0, this.#lines.length - linesKept);
  }

  /** What ends without a line feed is a line, too. */
  flush(): void {
    if (this.#held !== "") this.write("\n");
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  /** Written at once: little is written, and a stream's own buffer would have no bound. */
  #writeFile(text: string): void {
    if (this.#descriptor === null) return;
    try {
      if (this.#bytes > this.#bytesMax) this.#rotate();
      this.#bytes += writeSync(this.#descriptor, text);
    } catch {
      // A full disk must not end the mesh: the last lines are still in memory.
    }
  }

  #rotate(): void {
    this.close();
    renameSync(this.file, `${this.file}.1`);
    this.#descriptor = openSync(this.file, "a", 0o600);
    this.#bytes = 0;
  }
}
