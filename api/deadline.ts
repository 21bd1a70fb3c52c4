// Points on the wall clock. A timer alone does not notice when the clock is set, and certificates end
// by the clock: so the wait is cut into pieces and the clock is looked at after each.
import type { Clock } from "#/lib/clock.ts";

/** What a clock that was set forward may cost in precision. */
const pieceMsMax = 30_000;

/** Calls back once, when the wall clock has reached `atMs`; the returned function cancels. */
export function atTime(clock: Clock, atMs: number, callback: () => void): () => void {
  let cancel: () => void;
  const wait = (): void => {
    const leftMs = atMs - clock.now();
    cancel =
      leftMs <= 0
        ? clock.after(0, callback)
        : clock.after(Math.min(leftMs, pieceMsMax), () =>
            clock.now() < atMs ? wait() : callback(),
          );
  };
  wait();
  return () => cancel();
}
