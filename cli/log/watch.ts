// All logs of a mesh at once, from now on, each step proven: for whoever shows what is issued as it is issued.
import { sleep } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError } from "#/lib/errors.ts";
import type { Mesh } from "../mesh.ts";
import { LogFollower } from "./follower.ts";
import type { Followed } from "./follower.ts";
import { LogFault } from "./log-fault.ts";
import { signedLogs } from "./signed-logs.ts";

/** How often a log is looked at, milliseconds. */
const lookMs = 1_000;

/** Entries that came, the head that they lead to proven. */
export interface Watched extends Followed {
  /** The replica whose log it is. */
  readonly pod: string;
}

/**
 * Ends when the signal aborts. Throws LogFault when a log takes something back or is not signed as it must be, and
 * MeshError when the first look fails; later ones are made again, since a controller that restarts is no news.
 */
export async function* watchLogs(
  mesh: Mesh,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<Watched> {
  const followers = new Map<string, LogFollower>();
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const came: Watched[] = [];
    try {
      for (const { head, origin } of await signedLogs(mesh, clock.now())) {
        const follower = followers.get(origin);
        if (follower === undefined) {
          followers.set(origin, await LogFollower.startAt(mesh, head));
        } else {
          const pages: Watched[] = [];
          for await (const page of follower.advance(head)) pages.push({ ...page, pod: head.pod });
          came.push(...pages);
        }
      }
    } catch (error) {
      if (isFirst || error instanceof LogFault || !(error instanceof MeshError)) throw error;
    }
    yield* came;
    await sleep(clock, lookMs, signal);
  }
}
