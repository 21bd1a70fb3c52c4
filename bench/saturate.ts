// Keeps a function busy and tells what the whole process spent on it, all threads and collections of
// garbage included.

export interface Saturated {
  /** Microseconds of CPU per call, user and system. */
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** Calls `work` `calls` times, in `inFlight` lanes at once. Rejects with the first rejection. */
export async function saturate(
  calls: number,
  inFlight: number,
  work: (index: number, lane: number) => Promise<unknown>,
): Promise<Saturated> {
  let next = 0;
  const run = async (lane: number): Promise<void> => {
    while (next < calls) {
      const index = next;
      next += 1;
      await work(index, lane);
    }
  };
  const startedMs = performance.now();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: inFlight }, (_each, lane) => run(lane)));
  const { user, system } = process.cpuUsage(before);
  return {
    cpuUs: (user + system) / calls,
    perSecond: (calls * 1000) / (performance.now() - startedMs),
  };
}
