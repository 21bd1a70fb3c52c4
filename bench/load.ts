// Paced load over HTTP/1.1: requests arrive at a fixed mean rate, at random moments (Poisson), the same
// moments for every subject, whether or not earlier answers have come. wrk cannot do this. Latency
// counts from the arrival, so a request that waits for a free connection is charged for the waiting.
// Runs as a process of its own on the load's core: node load.ts '{"address": ...}'.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { percentile } from "./statistics.ts";
import { answerLength } from "./answer.ts";

export interface LoadPlan {
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  /** Requests per second, all connections together. */
  readonly rate: number;
  readonly warmUpS: number;
  readonly measureS: number;
  /** One request; `{varying}` becomes a counter of 12 hexadecimal digits. */
  readonly head: string;
  /** Sent behind each head. */
  readonly bodyBytes: number;
}

export interface LoadResult {
  /** Answers that came in the measured time. */
  readonly requests: number;
  /** Answers other than 200, and connections lost. */
  readonly errors: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Most requests that ever waited for a free connection: more than a few means saturation. */
  readonly waitingMax: number;
}

/** Printed when the measured time begins, so that the starter can read its counters. */
export const measuringLine = "measuring";

/** Waiting requests beyond this mean that the subject does not keep up; the run ends with an error. */
const waitingLimit = 50_000;

interface Connection {
  readonly socket: Socket;
  /** performance.now() of the request under way; NaN when free. */
  arrivedAtMs: number;
  received: Buffer | null;
}

class PacedLoad {
  readonly #plan: LoadPlan;
  readonly #free: Connection[] = [];
  /** Arrival times of requests without a connection, oldest first from #waitingFrom. */
  #waiting: number[] = [];
  #waitingFrom = 0;
  #waitingMax = 0;
  #counter = 0;
  #measuring = false;
  #errors = 0;
  #latencies: number[] = [];
  readonly #body: Buffer;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#body = Buffer.alloc(plan.bodyBytes, "x");
  }

  async open(): Promise<void> {
    const opened = Array.from(
      { length: this.#plan.connections },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect({ host: this.#plan.address, port: this.#plan.port });
          const connection: Connection = { socket, arrivedAtMs: Number.NaN, received: null };
          socket.setNoDelay(true);
          socket.once("connect", () => {
            this.#free.push(connection);
            resolve();
          });
          socket.on("data", (chunk: Buffer) => this.#onData(connection, chunk));
          socket.on("error", reject);
          socket.on("close", () => {
            this.#errors += 1;
          });
        }),
    );
    await Promise.all(opened);
  }

  startMeasuring(): void {
    this.#measuring = true;
    this.#errors = 0;
    this.#waitingMax = 0;
    this.#latencies = [];
  }

  arrive(): void {
    const now = performance.now();
    const connection = this.#free.pop();
    if (connection !== undefined) return this.#send(connection, now);
    this.#waiting.push(now);
    const waiting = this.#waiting.length - this.#waitingFrom;
    this.#waitingMax = Math.max(this.#waitingMax, waiting);
    if (waiting > waitingLimit) throw new Error(`More than ${waitingLimit} requests wait`);
  }

  #send(connection: Connection, arrivedAtMs: number): void {
    connection.arrivedAtMs = arrivedAtMs;
    this.#counter += 1;
    const varying = this.#counter.toString(16).padStart(12, "0");
    connection.socket.write(this.#plan.head.replace("{varying}", varying), "latin1");
    if (this.#body.length > 0) connection.socket.write(this.#body);
  }

  #onData(connection: Connection, chunk: Buffer): void {
    const { received } = connection;
    const bytes = received === null ? chunk : Buffer.concat([received, chunk]);
    const answer = answerLength(bytes);
    if (answer === null || bytes.length < answer.length) {
      connection.received = bytes;
      return;
    }
    connection.received = null;
    if (this.#measuring) {
      this.#latencies.push(performance.now() - connection.arrivedAtMs);
      if (answer.status !== 200) this.#errors += 1;
    }
    connection.arrivedAtMs = Number.NaN;
    if (this.#waitingFrom === this.#waiting.length) {
      this.#free.push(connection);
      return;
    }
    const arrivedAtMs = this.#waiting[this.#waitingFrom]!;
    this.#waitingFrom += 1;
    if (this.#waitingFrom === this.#waiting.length) {
      this.#waiting = [];
      this.#waitingFrom = 0;
    }
    this.#send(connection, arrivedAtMs);
  }

  result(): LoadResult {
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      requests: sorted.length,
      errors: this.#errors,
      p50Us: Math.round(percentile(sorted, 0.5) * 1000),
      p99Us: Math.round(percentile(sorted, 0.99) * 1000),
      waitingMax: this.#waitingMax,
    };
  }
}

/** Calls `arrive` once per arrival. The moments come from a thread that sleeps between them. */
function pace(rate: number, arrive: () => void): void {
  const arrivals = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("pacer.ts", import.meta.url), {
    workerData: { arrivals, rate },
  });
  worker.unref();
  let seen = 0;
  const follow = (): void => {
    for (;;) {
      for (const arrived = Atomics.load(arrivals, 0); seen < arrived; seen += 1) arrive();
      const wait = Atomics.waitAsync(arrivals, 0, seen);
      if (!wait.async) continue;
      void wait.value.then(follow);
      return;
    }
  };
  follow();
}

async function main(plan: LoadPlan): Promise<void> {
  const load = new PacedLoad(plan);
  await load.open();
  pace(plan.rate, () => load.arrive());
  setTimeout(() => {
    load.startMeasuring();
    process.stdout.write(`${measuringLine}\n`);
  }, plan.warmUpS * 1000);
  setTimeout(
    () => {
      process.stdout.write(`${JSON.stringify(load.result())}\n`, () => process.exit(0));
    },
    (plan.warmUpS + plan.measureS) * 1000,
  );
}

if (import.meta.main) {
  // The plan comes as a file: a request head does not sit well on a command line.
  await main(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as LoadPlan);
}
