// The keys that tokens are verified with, kept fresh without a network call per token: read again
// after a minute, and at once (at most every second) when a token names a key that is not there. What
// cannot be read is never replaced by anything else (attack case 13): the last good keys serve for a
// while, then nothing verifies.
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { CaError } from "./ca-error.ts";

/** Milliseconds. A key that was withdrawn is refused after `freshMs`. */
export const keySetLimits = { freshMs: 60_000, rereadMs: 1_000, staleMs: 900_000 } as const;

export interface KeySetOptions<KeySet> {
  /** Reads the JWKS, wherever it is; rejects when it cannot. */
  readonly read: () => Promise<string>;
  /** Throws when the text is no key set. */
  readonly parse: (text: string) => KeySet;
  readonly clock: Pick<Clock, "monotonic">;
}

export class KeySetSource<KeySet> {
  readonly #options: KeySetOptions<KeySet>;
  #good: { readonly keys: KeySet; readonly text: string; readonly readAt: number } | null = null;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<KeySet> | null = null;

  constructor(options: KeySetOptions<KeySet>) {
    this.#options = options;
  }

  /** Rejects with CaError `token_review_failed` when there are no keys, or only ones too old. */
  async current(): Promise<KeySet> {
    if (this.#good !== null && this.#ageOf(this.#good.readAt) < keySetLimits.freshMs) {
      return this.#good.keys;
    }
    return this.#mayRead() ? this.#read() : this.#lastGood(null);
  }

  /** The keys as they are now, for one that is missing in `keys`; null when they were just read. */
  async newerThan(keys: KeySet): Promise<KeySet | null> {
    if (!this.#mayRead()) return this.#good?.keys === keys ? null : (this.#good?.keys ?? null);
    return this.#read();
  }

  #mayRead(): boolean {
    return this.#reading !== null || this.#ageOf(this.#triedAt) >= keySetLimits.rereadMs;
  }

  /** One reading at a time serves everybody who waits for it. */
  #read(): Promise<KeySet> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readNow(): Promise<KeySet> {
    const { read, parse, clock } = this.#options;
    this.#triedAt = clock.monotonic();
    try {
      const text = await read();
      // The same text stays the same object: who keeps what it verified with it need not start anew.
      const keys = this.#good?.text === text ? this.#good.keys : parse(text);
      this.#good = { keys, text, readAt: clock.monotonic() };
      return keys;
    } catch (thrown) {
      return this.#lastGood(thrown);
    }
  }

  #lastGood(cause: unknown): KeySet {
    if (this.#good !== null && this.#ageOf(this.#good.readAt) < keySetLimits.staleMs) {
      return this.#good.keys;
    }
    const state = cause === null ? "they could not be read a moment ago" : messageOf(cause);
    throw new CaError("token_review_failed", `Cannot verify tokens without keys: ${state}`, {
      cause,
      next: "See that the JWKS of the token issuer is where the configuration says",
    });
  }

  #ageOf(time: number): number {
    return this.#options.clock.monotonic() - time;
  }
}
