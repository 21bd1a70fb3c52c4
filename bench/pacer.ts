// The thread that knows the time: it sleeps until the next arrival and counts it. A timer of the event
// loop is too coarse (1 ms): arrivals would come in bunches, which flatters whoever batches.
import { workerData } from "node:worker_threads";
import { seededRandom } from "#/lib/seeded-random.ts";
import { nextArrivalMs } from "./statistics.ts";

const { arrivals, rate } = workerData as { arrivals: Int32Array; rate: number };

/** Any number will do, as long as it is the same for every subject. */
const seed = 20_261_121;
const random = seededRandom(seed);
const sleeper = new Int32Array(new SharedArrayBuffer(4));

let nextMs = performance.now();
for (;;) {
  nextMs += nextArrivalMs(rate, random);
  const waitMs = nextMs - performance.now();
  if (waitMs > 0) Atomics.wait(sleeper, 0, 0, waitMs);
  Atomics.add(arrivals, 0, 1);
  Atomics.notify(arrivals, 0);
}
