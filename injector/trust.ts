// The mesh's roots as the injector needs them: pinned in the pods that it injects, trusted when it asks for
// its own certificate, and told to API servers as caBundle. They may change while it runs. Another bundle is
// used only once the API servers have been told of it: a certificate under a root that they do not know
// would keep every pod of the mesh from starting.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import { rootsByPins } from "#/identity/links.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";

/** As they stand in the bundle's ConfigMap. */
export interface TrustTexts {
  /** PEM of the trusted roots. */
  readonly bundle: string;
  /** PEM of former roots and links; empty: there are none. */
  readonly links: string;
  /** SHA-256 of the intermediate that issuers hang from; empty: not told. */
  readonly authority: string;
}

export interface Trust {
  readonly texts: TrustTexts;
  /** DER. */
  readonly roots: readonly Uint8Array[];
  /** Pinned in pods. */
  readonly pins: readonly string[];
  /** Also believed of a pod that was injected before: what links lead on from. */
  readonly formerPins: readonly string[];
}

/** Throws IdentityError unless `texts` hold roots, and of those some that `pins` (when told) lead to. */
export function readTrust(texts: TrustTexts, pins: readonly string[], now: number): Trust {
  const isPinned = pins.length > 0;
  const roots = isPinned ? rootsByPins(texts, pins, now) : parsePem(texts.bundle);
  const former = texts.links.trim() === "" ? [] : parsePem(texts.links).map(fingerprint);
  return {
    texts,
    roots,
    pins: isPinned ? pins : roots.map((root) => fingerprint(root)),
    formerPins: former,
  };
}

/** From the bundle's file and those beside it. Rejects when the bundle cannot be read. */
export async function readTrustFiles(bundleFile: string): Promise<TrustTexts> {
  const beside = (name: string): Promise<string> =>
    readFile(path.join(path.dirname(bundleFile), name), "utf8").catch(() => "");
  const [links, authority] = [await beside("links.pem"), await beside("authority")];
  return { bundle: await readFile(bundleFile, "utf8"), links, authority };
}

export interface TrustKeeperOptions {
  readonly first: Trust;
  /** Of the configuration; empty: the bundle's own roots are pinned. */
  readonly pins: readonly string[];
  /** Resolves once API servers have been told of these roots (PEM). */
  readonly announce: (bundlePem: string, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until what could not be announced is tried again. */
const againMs = 2_000;

export class InjectorTrust implements Disposable {
  readonly trust: Watch<Trust>;
  readonly #options: TrustKeeperOptions;
  readonly #stop = new AbortController();
  #wanted: TrustTexts;
  /** What API servers were told; null: of none by us. */
  #announced: TrustTexts | null = null;
  #isTaking = false;

  constructor(options: TrustKeeperOptions) {
    this.#options = options;
    this.trust = new Watch(options.first);
    this.#wanted = options.first.texts;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  /**
   * What stands in the mesh's own namespace, where nobody writes but who runs the mesh. The file that the
   * first one was read from is told to nobody: it may be older.
   */
  offer(texts: TrustTexts): void {
    this.#wanted = texts;
    if (!this.#isTaking) void this.#take();
  }

  async #take(): Promise<void> {
    const { announce, pins, clock, log } = this.#options;
    const { signal } = this.#stop;
    this.#isTaking = true;
    while (!signal.aborted && !isSame(this.#wanted, this.#announced)) {
      const texts = this.#wanted;
      try {
        const next = readTrust(texts, pins, clock.now());
        await announce(texts.bundle, signal);
        if (signal.aborted) break;
        this.#announced = texts;
        this.trust.set(next);
        log.info("trust bundle taken up", { roots: next.pins.join(",") });
      } catch (thrown) {
        log.warn("trust bundle not taken up", { reason: messageOf(thrown) });
        await sleep(clock, againMs, signal);
      }
    }
    this.#isTaking = false;
  }
}

function isSame(one: TrustTexts, other: TrustTexts | null): boolean {
  return (
    other !== null &&
    one.bundle === other.bundle &&
    one.links === other.links &&
    one.authority === other.authority
  );
}
