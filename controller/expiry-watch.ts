// Says in time, and in the log, that what certificates hang from comes to its end: at 50, 25 and 10 % of its
// life, once for each. What is renewed by itself is told of only when it was not.
import { expiryOf, shareLeft } from "#/identity/expiry.ts";
import type { Expiry, Life } from "#/identity/expiry.ts";
import { fingerprint } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { Trust } from "./trust.ts";

export interface AuthorityLife extends Life {
  readonly authority: "root" | "intermediate";
  readonly fingerprint: string;
  /** From here on it is said. */
  readonly toldFrom: readonly Expiry[];
}

export interface ExpiryWatchOptions {
  readonly trust: Watch<Trust>;
  readonly metrics: Pick<ControllerMetrics, "authorityEnd" | "authorityShareLeft">;
  readonly clock: Clock;
  readonly log: Log;
}

const lookMs = 3_600_000;
const all: readonly Expiry[] = ["half", "quarter", "tenth", "ended"];

/** The root in force and the intermediate; a root of another make that cannot be read is left out. */
export function livesOf({
  bundle,
  stored,
  authority,
  notBefore,
  notAfter,
}: Trust): readonly AuthorityLife[] {
  const [root] = bundle.roots;
  // A managed intermediate is replaced when a third is left.
  const toldFrom = stored.record.rootKey === null ? all : all.slice(1);
  const below = { authority: "intermediate", fingerprint: authority, notBefore, notAfter } as const;
  return [...(root === undefined ? [] : rootLife(root)), { ...below, toldFrom }];
}

function rootLife(root: Uint8Array): readonly AuthorityLife[] {
  try {
    const { notBefore, notAfter } = readCertificate(root);
    return [
      { authority: "root", fingerprint: fingerprint(root), notBefore, notAfter, toldFrom: all },
    ];
  } catch {
    return [];
  }
}

export class ExpiryWatch implements Disposable {
  readonly #options: ExpiryWatchOptions;
  readonly #stopListening: () => void;
  /** Fingerprint and level of what was said. */
  readonly #told = new Set<string>();
  #cancel = (): void => {};

  constructor(options: ExpiryWatchOptions) {
    this.#options = options;
    const { trust, metrics, clock } = options;
    this.#stopListening = trust.onChange(() => this.#look());
    metrics.authorityEnd.onCollect(() => {
      for (const life of livesOf(trust.get())) {
        metrics.authorityEnd.with(life.authority).set(life.notAfter / 1000);
        metrics.authorityShareLeft.with(life.authority).set(shareLeft(life, clock.now()));
      }
    });
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#stopListening();
    this.#cancel();
  }

  #look(): void {
    const { trust, clock, log } = this.#options;
    const now = clock.now();
    for (const life of livesOf(trust.get())) {
      const expiry = expiryOf(life, now);
      const key = `${life.fingerprint} ${expiry}`;
      if (!life.toldFrom.includes(expiry) || this.#told.has(key)) continue;
      this.#told.add(key);
      const level = expiry === "half" ? "info" : expiry === "quarter" ? "warn" : "error";
      log[level]("an authority comes to its end", {
        authority: life.authority,
        fingerprint: life.fingerprint,
        not_after: new Date(life.notAfter).toISOString(),
        left_percent: Math.round(shareLeft(life, now) * 100),
        next: "See: signet check",
      });
    }
    this.#cancel();
    this.#cancel = clock.after(lookMs, () => this.#look());
  }
}
