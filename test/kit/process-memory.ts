// How much memory processes hold, by the kernel's own books.
import { readFileSync } from "node:fs";

/** Resident KiB. */
export function residentKib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
}

const lookMs = 20;

/** The most that each process has held since the watch began. */
export class MemoryWatch implements Disposable {
  readonly #before: readonly number[];
  readonly #peaks: number[];
  readonly #timer: NodeJS.Timeout;

  constructor(pids: readonly number[]) {
    this.#before = pids.map(residentKib);
    this.#peaks = [...this.#before];
    this.#timer = setInterval(() => {
      for (const [index, pid] of pids.entries()) {
        this.#peaks[index] = Math.max(this.#peaks[index]!, residentKib(pid));
      }
    }, lookMs);
  }

  /** KiB by which each one's peak stands above what it held in the beginning. */
  get grownKib(): readonly number[] {
    return this.#peaks.map((peak, index) => peak - this.#before[index]!);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
