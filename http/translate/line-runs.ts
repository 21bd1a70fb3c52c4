// Lines of HTTP/2 heads that follow one another again and again, as HTTP/1 writes them: one comparison of numbers for
// each line and one copy for all of them, where their bytes would be copied and looked at one by one. A number is of
// one line in the whole process (http2/line-number.ts), so one of these serves all connections.
//
// A run is kept when its first line begins one for the second time; what was written before it was looked at by the
// writer. A line that differs from the run's ends its use, and the next line may begin another: that is how the one
// line that varies costs only itself. Secrets have no place in a run.

/** A power of two: runs that are kept. Some 500 bytes each. */
const RUNS = 128;

/** A longer one would hold memory for what hardly repeats. Bytes. */
const RUN_BYTES_MAX = 4096;

export class LineRun {
  /** The kinds that are left out, as a set: the run is of heads that leave out the same. */
  readonly drop: number;
  readonly numbers: Float64Array;
  /** Where in `bytes` each of its lines ends: one that is left out ends where it begins. */
  readonly ends: Int32Array;
  readonly bytes: Buffer;

  constructor(drop: number, numbers: Float64Array, ends: Int32Array, bytes: Buffer) {
    this.drop = drop;
    this.numbers = numbers;
    this.ends = ends;
    this.bytes = bytes;
  }

  /** How many of its lines stand in lines[from, to), from its first one on. */
  match(lines: Float64Array, from: number, to: number): number {
    const { numbers } = this;
    const most = Math.min(numbers.length, to - from);
    let count = 0;
    while (count < most && numbers[count] === lines[from + count]) count += 1;
    return count;
  }
}

export class LineRuns {
  readonly #runs: (LineRun | null)[] = Array.from({ length: RUNS }, () => null);
  /** Lines that began no run when they were last seen. */
  readonly #seen = new Float64Array(RUNS);

  /** The run that begins with the line of this number, or null. */
  find(line: number, drop: number): LineRun | null {
    const run = this.#runs[line & (RUNS - 1)]!;
    return run !== null && run.numbers[0] === line && run.drop === drop ? run : null;
  }

  /** After a `find` in vain: whether a run is to be made that begins with this line. */
  wants(line: number): boolean {
    const place = line & (RUNS - 1);
    if (this.#seen[place] === line) return true;
    this.#seen[place] = line;
    return false;
  }

  keep(run: LineRun): void {
    if (run.bytes.length > RUN_BYTES_MAX) return;
    this.#runs[run.numbers[0]! & (RUNS - 1)] = run;
  }
}
