// Keeps the bundle of each federated trust domain: fetches it at once and again as the document asks, keeps the
// last good one whatever comes instead, and tells the mesh. Who is federated is the world's word; when it
// takes that back, bundle and file are gone in the same turn.
import { hash } from "node:crypto";
import type { FederatedBundle } from "#/api/discovery.ts";
import type { Federation } from "#/api/federation.ts";
import type { ForeignBundle } from "#/identity/foreign-bundle.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { FederationError } from "./federation-error.ts";
import type { FederationErrorCode } from "./federation-error.ts";
import { checkOwnership, judgeBundle } from "./judge.ts";
import type { BundleStore } from "./store.ts";

/** What a document may ask for, and what holds when it does not say. */
export const refreshMinMs = 5_000;
export const refreshMaxMs = 3_600_000;
export const refreshDefaultMs = 300_000;
/** After a failure; never later than the next fetch would have been. */
const failureBackoff = { baseMs: 1_000, maxMs: 60_000 } as const;

export interface FederationKeeperOptions {
  /** Rejects with FederationError. */
  readonly fetch: (federation: Federation, roots: readonly Uint8Array[]) => Promise<string>;
  readonly store: BundleStore;
  /** Of the mesh itself. */
  readonly own: () => { readonly trustDomain: TrustDomain; readonly roots: readonly Uint8Array[] };
  /** Hears of every change, with all that there are, and of whom nothing is known here yet. */
  readonly tell: (bundles: readonly FederatedBundle[], awaited: ReadonlySet<TrustDomain>) => void;
  /** By trust domain and outcome ("ok", or a FederationErrorCode). */
  readonly fetched: (trustDomain: TrustDomain, outcome: FederationErrorCode | "ok") => void;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** As the read API and the object's status tell it. */
export interface FederationView {
  readonly federation: Federation;
  /** null: none yet. */
  readonly bundle: ForeignBundle | null;
  /** Milliseconds since the Unix epoch; null: never. */
  readonly fetchedAt: number | null;
  readonly nextAt: number;
  /** What was wrong with the last fetch; null: nothing. */
  readonly fault: FederationError | null;
}

/** In the words of a condition. */
interface BundleFault {
  readonly reason: string;
  readonly message: string;
}

interface Kept {
  readonly federation: Federation;
  readonly basis: string;
  bundle: ForeignBundle | null;
  fetchedAt: number | null;
  nextAt: number;
  failures: number;
  fault: FederationError | null;
  cancel: () => void;
  isOver: boolean;
}

export class FederationKeeper implements Disposable {
  readonly #options: FederationKeeperOptions;
  readonly #kept = new Map<TrustDomain, Kept>();
  #followed: readonly Federation[] = [];

  constructor(options: FederationKeeperOptions) {
    this.#options = options;
  }

  /** Those that there are now; the same list again changes nothing. */
  follow(federations: readonly Federation[]): void {
    if (federations === this.#followed) return;
    this.#followed = federations;
    const wanted = new Map(federations.map((each) => [each.trustDomain, each]));
    for (const [trustDomain, kept] of this.#kept) {
      const next = wanted.get(trustDomain);
      if (next !== undefined && basisOf(next) === kept.basis) continue;
      end(kept);
      this.#kept.delete(trustDomain);
      if (next === undefined) this.#options.store.remove(trustDomain);
    }
    for (const federation of wanted.values()) this.#begin(federation);
    this.#tell();
  }

  views(): readonly FederationView[] {
    return [...this.#kept.values()].sort((one, other) =>
      one.federation.trustDomain < other.federation.trustDomain ? -1 : 1,
    );
  }

  /** For the object's status; null: nothing was fetched or tried yet. */
  state(trustDomain: TrustDomain): { fault: BundleFault | null; isHeld: boolean } | null {
    const kept = this.#kept.get(trustDomain);
    if (kept === undefined || (kept.fetchedAt === null && kept.fault === null)) return null;
    const { fault, bundle } = kept;
    const isHeld = bundle !== null && bundle.roots.length > 0;
    if (fault === null) return { fault, isHeld };
    return { fault: { reason: wordOf(fault.code), message: fault.message }, isHeld };
  }

  [Symbol.dispose](): void {
    for (const kept of this.#kept.values()) end(kept);
  }

  #begin(federation: Federation): void {
    const { trustDomain, firstBundle } = federation;
    if (this.#kept.has(trustDomain)) return;
    const basis = basisOf(federation);
    const kept: Kept = {
      federation,
      basis,
      bundle: firstBundle,
      fetchedAt: null,
      nextAt: 0,
      failures: 0,
      fault: null,
      cancel: () => {},
      isOver: false,
    };
    this.#kept.set(trustDomain, kept);
    this.#restore(kept);
    void this.#fetch(kept);
  }

  /** What was fetched before a restart, held against the rules of now. */
  #restore(kept: Kept): void {
    const { trustDomain, firstBundle } = kept.federation;
    const stored = this.#options.store.read(trustDomain);
    try {
      const held = firstBundle;
      if (stored?.basis === kept.basis) {
        kept.bundle = judgeBundle(stored.document, {
          trustDomain,
          held,
          others: this.#others(kept),
        });
        kept.fetchedAt = stored.fetchedAt;
      } else if (firstBundle !== null) checkOwnership(firstBundle.roots, this.#others(kept));
    } catch (thrown) {
      kept.bundle = null;
      this.#failed(kept, faultOf(thrown));
    }
  }

  async #fetch(kept: Kept): Promise<void> {
    const { fetch, store, fetched, clock, log } = this.#options;
    const { trustDomain } = kept.federation;
    try {
      const document = await fetch(kept.federation, kept.bundle?.roots ?? []);
      if (kept.isOver) return;
      // What was held may have changed meanwhile, and others too.
      const { bundle: held, federation } = kept;
      const facts = {
        trustDomain,
        held: held ?? federation.firstBundle,
        others: this.#others(kept),
      };
      const bundle = judgeBundle(document, facts);
      const fetchedAt = clock.now();
      // First where it outlives this process: what was told must not be taken back by a restart.
      store.write({ trustDomain, basis: kept.basis, document, fetchedAt });
      if (kept.fault !== null)
        log.info("foreign bundle is had again", { trust_domain: trustDomain });
      Object.assign(kept, { bundle, fetchedAt, failures: 0, fault: null });
      fetched(trustDomain, "ok");
      this.#tell();
      this.#again(kept, refreshMs(bundle));
    } catch (thrown) {
      if (kept.isOver) return;
      const fault = faultOf(thrown);
      fetched(trustDomain, fault.code);
      if (this.#failed(kept, fault)) this.#tell();
      const { random } = this.#options;
      const delayMs = backoffDelayMs(failureBackoff, kept.failures, random());
      kept.failures += 1;
      this.#again(kept, Math.min(Math.max(delayMs, failureBackoff.baseMs), refreshMs(kept.bundle)));
    }
  }

  #again(kept: Kept, delayMs: number): void {
    const { clock } = this.#options;
    kept.nextAt = clock.now() + delayMs;
    kept.cancel = clock.after(delayMs, () => void this.#fetch(kept));
  }

  /** Said once for each fault, not at each try. Returns whether it is another than before. */
  #failed(kept: Kept, fault: FederationError): boolean {
    const { log } = this.#options;
    const isNew = kept.fault?.message !== fault.message;
    if (isNew) {
      log.error("foreign bundle not had, the last good one stays", {
        trust_domain: kept.federation.trustDomain,
        reason: fault.code,
        detail: fault.message,
      });
    }
    kept.fault = fault;
    return isNew;
  }

  /** Roots of everybody else. */
  #others(kept: Kept): ReadonlyMap<TrustDomain, readonly Uint8Array[]> {
    const own = this.#options.own();
    const others = new Map([[own.trustDomain, own.roots]]);
    for (const { federation, bundle } of this.#kept.values()) {
      if (federation !== kept.federation) others.set(federation.trustDomain, bundle?.roots ?? []);
    }
    return others;
  }

  #tell(): void {
    const bundles = this.views().flatMap(({ federation, bundle }): readonly FederatedBundle[] => {
      if (bundle === null || bundle.roots.length === 0) return [];
      const { roots, jwtAuthorities } = bundle;
      return [{ trustDomain: federation.trustDomain, roots, jwtAuthorities }];
    });
    const awaited = this.views().filter(isAwaited);
    this.#options.tell(bundles, new Set(awaited.map(({ federation }) => federation.trustDomain)));
  }
}

/** Another replica may have told its bundle; what was refused counts for nothing. */
function isAwaited({ bundle, fault }: FederationView): boolean {
  return bundle === null && fault?.code !== "bundle_refused";
}

/** How long until a bundle is asked for again: as it says, within limits. */
export function refreshMs(bundle: Pick<ForeignBundle, "refreshHintS"> | null): number {
  const hint = bundle?.refreshHintS ?? null;
  if (hint === null || hint === 0) return refreshDefaultMs;
  return Math.min(refreshMaxMs, Math.max(refreshMinMs, hint * 1000));
}

/** Two federations of one basis believe the same endpoint by the same first bundle. */
function basisOf(federation: Federation): string {
  const plain = JSON.stringify(federation, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  );
  return hash("sha256", plain);
}

/** "endpoint_untrusted" -> "EndpointUntrusted". */
function wordOf(code: FederationErrorCode): string {
  return code.replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function end(kept: Kept): void {
  kept.isOver = true;
  kept.cancel();
}

function faultOf(thrown: unknown): FederationError {
  if (thrown instanceof FederationError) return thrown;
  return new FederationError("endpoint_unreachable", messageOf(thrown), { cause: thrown });
}
