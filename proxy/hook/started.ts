// Waits until the sidecar may take traffic. Kubelet starts a pod's containers in turn, and the next only
// when the hook of the one before has ended: so an application behind a classic sidecar starts when the
// sidecar is ready, as behind a native one.
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";

const askEveryMs = 100;

/** True once `isReady` says so; false when it has not by then. */
export async function awaitReady(
  isReady: () => Promise<boolean>,
  clock: Clock,
  deadlineMs: number,
): Promise<boolean> {
  const end = clock.monotonic() + deadlineMs;
  while (!(await isReady())) {
    if (clock.monotonic() >= end) return false;
    await sleep(clock, askEveryMs);
  }
  return true;
}
