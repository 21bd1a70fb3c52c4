// One claim of the tour: a sentence, and a way to find out whether it is true. What it finds is its
// evidence; a claim that turns out false throws with what was seen instead.
import type { Clock } from "#/lib/clock.ts";
import { MeshError } from "#/lib/errors.ts";
import { sleep } from "#/lib/clock.ts";
import type { Execution, Mesh, Pod } from "../mesh.ts";
import { findPod } from "../mesh.ts";
import type { ImageNames } from "./manifests.ts";
import type { Wire } from "./wire.ts";

export class FalseClaim extends MeshError<"claim_false"> {}

export interface TourContext {
  readonly mesh: Mesh;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Runs a program of this machine to its end. */
  readonly runHere: (command: readonly string[], input: string) => Promise<Execution>;
  readonly wire: Wire;
  readonly images: ImageNames;
}

export interface Claim {
  readonly title: string;
  /** Lines of evidence; rejects with FalseClaim when it is not so. */
  readonly run: (context: TourContext) => Promise<readonly string[]>;
}

/** What a changed policy or route may take until every sidecar follows it. */
export const EFFECTIVE_MS_MAX = 2000;
const POLL_MS = 100;

/** Throws FalseClaim unless `condition`; `seen` says what was found instead. */
export function hold(condition: boolean, seen: string): asserts condition {
  if (condition) return;
  throw new FalseClaim("claim_false", `Cannot confirm the claim: ${seen}`, {
    next: "Look at the sidecars: signet check",
  });
}

/** Asks until the answer is not null; FalseClaim after `timeoutMs`. */
export async function until<T>(
  context: TourContext,
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | null>,
): Promise<T> {
  const deadline = context.clock.monotonic() + timeoutMs;
  for (;;) {
    context.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== null) return answer;
    hold(context.clock.monotonic() < deadline, `${what}: not within ${timeoutMs / 1000} s`);
    await sleep(context.clock, POLL_MS, context.signal);
  }
}

export async function pod(context: TourContext, name: string): Promise<Pod> {
  return findPod(await context.mesh.pods(), name);
}

/** Waits until the pods whose names begin so are ready. */
export async function readyPods(
  context: TourContext,
  names: readonly string[],
  timeoutMs: number,
): Promise<readonly Pod[]> {
  return until(context, `${names.join(", ")} ready`, timeoutMs, async () => {
    const all = await context.mesh.pods();
    const found = names.map((name) =>
      all.find((each) => `${each.namespace}/${each.name}`.startsWith(name) && each.isReady),
    );
    return found.every((each) => each !== undefined) ? found : null;
  });
}
