// Points on the wall clock. A timer alone does not notice when the clock is set, and certificates end
// by the clock: so the wait is cut into pieces and both clocks are looked at after each. Whichever says so
// first ends it: a clock that was set back gives nobody longer.
import type { Clock } from "#/lib/clock.ts";

/** What a clock that was set forward may cost in precision. */
const pieceMsMax = 30_000;

/** Calls back once, when the wall clock has reached `atMs` or should have; the returned function cancels. */
export function atTime(clock: Clock, atMs: number, callback: () => void): () => void {
  let cancel: () => void;
  const atMonotonicMs = clock.monotonic() + atMs - clock.now();
  const leftMs = (): number => Math.min(atMs - clock.now(), atMonotonicMs - clock.monotonic());
  const wait = (): void => {
    const nextMs = Math.min(leftMs(), pieceMsMax);
    cancel =
      nextMs <= 0
        ? clock.after(0, callback)
        : clock.after(nextMs, () => (leftMs() > 0 ? wait() : callback()));
  };
  wait();
  return () => cancel();
}
