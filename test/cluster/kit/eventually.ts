// Waiting for a cluster to come to a state: asked again until it is there, never by a fixed delay.
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "#/lib/errors.ts";
import { RigError } from "../errors.ts";

const timeoutMsDefault = 60_000;
const pollMs = 250;

/** What `ask` gives once it is not null; what it throws counts as "not yet" and is told at the end. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null>,
  timeoutMs: number = timeoutMsDefault,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last = "it is not so yet";
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      last = messageOf(error);
    }
    if (performance.now() > end) {
      throw new RigError("not_in_time", `Not within ${timeoutMs} ms: ${what}; last: ${last}`);
    }
    await sleep(pollMs);
  }
}
