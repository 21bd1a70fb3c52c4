// A timer for what is armed with every request and hardly ever rings: it is left running when it is
// disarmed, and set again only when it rings too early. A thousand requests cost one timer.
import type { Clock } from "#/lib/clock.ts";

export class LazyTimer {
  readonly #clock: Clock;
  readonly #ring: () => void;
  /** Monotonic milliseconds; Infinity while disarmed. */
  #dueMs = Infinity;
  /** When the timer below rings; Infinity without one. */
  #setMs = Infinity;
  #cancel: (() => void) | null = null;

  /** `ring` is called once for each time it is armed and not disarmed. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  arm(delayMs: number): void {
    this.#dueMs = this.#clock.monotonic() + delayMs;
    if (this.#dueMs < this.#setMs) this.#set(delayMs);
  }

  disarm(): void {
    this.#dueMs = Infinity;
  }

  /** Disarms, and leaves nothing running. */
  stop(): void {
    this.#dueMs = Infinity;
    this.#setMs = Infinity;
    this.#cancel?.();
    this.#cancel = null;
  }

  #set(delayMs: number): void {
    this.#cancel?.();
    this.#setMs = this.#clock.monotonic() + delayMs;
    this.#cancel = this.#clock.after(delayMs, () => this.#rang());
  }

  #rang(): void {
    this.#cancel = null;
    this.#setMs = Infinity;
    if (this.#dueMs === Infinity) return;
    const leftMs = this.#dueMs - this.#clock.monotonic();
    // Node's timers may ring up to a millisecond early.
    if (leftMs >= 1) {
      this.#set(leftMs);
      return;
    }
    this.#dueMs = Infinity;
    this.#ring();
  }
}
