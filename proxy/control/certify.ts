// Keeps the sidecar certified: a new key in memory for each certificate, asked for with the pod's
// token, checked like a stranger's before it is used, renewed after a third of its life. The last good
// one stays until its end; after that there is none, and the sidecar refuses to speak. A key is never
// written anywhere.
//
// Two clocks are asked, because either may be wrong: a life ends, and a renewal is due, at the earlier
// of what the wall clock and the monotonic clock say. A wall clock set ahead renews at once, one set
// back lengthens nothing (attack case 18).
import { generateKeyPairSync } from "node:crypto";
import { readPinnedRoots, readToken } from "#/api/bootstrap.ts";
import type { TrustBundle } from "#/api/discovery.ts";
import type { IssueResponse } from "#/api/identity.ts";
import type { ControllerConnection } from "#/api/rpc.ts";
import { fingerprint } from "#/identity/bundle.ts";
import { createCsr } from "#/identity/csr.ts";
import { renewalAtMs } from "#/identity/renewal.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import type { Backoff } from "#/lib/backoff.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { ProxyConfig } from "../config.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";
import { checkAnswer } from "./answer.ts";
import { CertifyError } from "./certify-error.ts";

/** From the call to its answer; what comes later is not used. */
export const issueDeadlineMs = 10_000;
export const certifyBackoff = { baseMs: 250, maxMs: 15_000 } as const;
/** However short the lives that are issued: no more than one request a second while all goes well. */
export const renewalDelayMinMs = 1_000;
/** For certificates that hang from a former intermediate. */
const authorityBackoff = { baseMs: 8_000, maxMs: 120_000 } as const;
/** How often the wall clock is looked at. */
const lookMs = 1_000;
/** A wall clock that moves against the monotonic one by so much between two looks was set. */
const clockStepMs = 5_000;

export interface CertifierOptions {
  readonly config: Pick<
    ProxyConfig,
    "tokenFile" | "trustBundleFile" | "rootFingerprints" | "svidLifetimeSeconds" | "trustDomain"
  >;
  readonly ownId: SpiffeId;
  readonly metrics: Pick<ProxyMetrics, "certificatesIssued" | "certificateFailures">;
  readonly connect: (roots: readonly Uint8Array[], svid: Svid | null) => ControllerConnection;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** How soon a certificate of a former intermediate is renewed, and again; default authorityBackoff. */
  readonly hasten?: Backoff;
}

export class Certifier {
  /** The present SVID; null before the first one and after the end of the last. */
  readonly svid: Watch<Svid | null> = new Watch<Svid | null>(null);
  readonly #options: CertifierOptions;
  readonly #stop = new AbortController();
  #roots: readonly Uint8Array[] = [];
  /** The stream has spoken: the bundle file is not looked at any more. */
  #isBundleTold = false;
  /** Of the stream's bundle: what issuers hang from. */
  #authority: string | undefined = undefined;
  /** Certificates in a row that did not hang from it. */
  #foreignAnswers = 0;
  #failures = 0;
  /** When to ask next, by either clock; both infinite while a request is under way. */
  #dueMonotonicMs: number;
  #dueWallMs = Infinity;
  #endMonotonicMs = Infinity;
  /** Wall clock less monotonic clock at the last look. */
  #offsetMs: number;
  #cancelLook: () => void = () => {};

  constructor(options: CertifierOptions) {
    this.#options = options;
    const { clock } = options;
    this.#dueMonotonicMs = clock.monotonic();
    this.#offsetMs = clock.now() - clock.monotonic();
    this.#look();
  }

  /** What is trusted now: the pinned roots at first, then what the authenticated stream brings. */
  roots(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** Takes the bundle of the authenticated stream over. Nothing else may call this. */
  trust({ roots, authority }: Pick<TrustBundle, "roots" | "authority">): void {
    if (roots.length === 0) return;
    this.#roots = roots;
    this.#isBundleTold = true;
    if (authority !== this.#authority) this.#foreignAnswers = 0;
    this.#authority = authority;
    const svid = this.svid.get();
    if (svid === null || this.#dueMonotonicMs === Infinity || this.#isOwnAuthority(svid)) return;
    this.#hasten();
    this.#look();
  }

  /** A certificate that hangs from the intermediate of now; true also when none is told. */
  #isOwnAuthority({ chain }: Svid): boolean {
    const authority = this.#authority;
    return authority === undefined || chain.some((der) => fingerprint(der) === authority);
  }

  /**
   * The mesh hangs from another intermediate now: the next certificate is asked for soon, by all sidecars
   * within some seconds and not at once. An answer under the former one, from a controller that is behind,
   * makes it ask again, later each time.
   */
  #hasten(): void {
    const { clock, random, hasten = authorityBackoff } = this.#options;
    const delayMs = renewalDelayMinMs + backoffDelayMs(hasten, this.#foreignAnswers, random());
    const now = clock.now();
    const monotonic = clock.monotonic();
    const isSooner = monotonic + delayMs < this.#dueMonotonicMs;
    if (isSooner) this.#due(monotonic + delayMs, now + delayMs);
  }

  /** Gives up what is under way. The present SVID stays. */
  stop(): void {
    this.#stop.abort();
    this.#cancelLook();
  }

  /** Does what is due by either clock, and sets the timer for what comes next. */
  #look(): void {
    this.#cancelLook();
    if (this.#stop.signal.aborted) return;
    const { clock } = this.#options;
    const now = clock.now();
    const monotonic = clock.monotonic();
    this.#noticeStep(now - monotonic);
    this.#expire(now, monotonic);
    if (monotonic >= this.#dueMonotonicMs || now >= this.#dueWallMs) this.#ask();
    const nextMs = Math.min(this.#dueMonotonicMs, this.#endMonotonicMs) - monotonic;
    this.#cancelLook = clock.after(Math.max(0, Math.min(lookMs, nextMs)), () => this.#look());
  }

  #noticeStep(offsetMs: number): void {
    const stepMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    if (Math.abs(stepMs) < clockStepMs) return;
    this.#options.log.warn("wall clock was set", { step_ms: stepMs });
  }

  #expire(now: number, monotonic: number): void {
    const svid = this.svid.get();
    if (svid === null || (now < svid.notAfter && monotonic < this.#endMonotonicMs)) return;
    this.#endMonotonicMs = Infinity;
    this.#options.log.error("certificate ended without a successor", { id: svid.id });
    this.svid.set(null);
  }

  #ask(): void {
    this.#due(Infinity, Infinity);
    this.#request()
      .then((svid) => this.#issued(svid))
      .catch((error: unknown) => this.#failed(error));
  }

  #due(monotonicMs: number, wallMs: number): void {
    this.#dueMonotonicMs = monotonicMs;
    this.#dueWallMs = wallMs;
  }

  #issued(svid: Svid): void {
    if (this.#stop.signal.aborted) return;
    const { clock, random, metrics, log } = this.#options;
    const now = clock.now();
    const monotonic = clock.monotonic();
    this.#failures = 0;
    metrics.certificatesIssued.with().add();
    const renewAt = renewalAtMs({ issuedAt: now, notAfter: svid.notAfter }, random());
    const delayMs = Math.max(renewalDelayMinMs, renewAt - now);
    this.#due(monotonic + delayMs, now + delayMs);
    this.#endMonotonicMs = monotonic + svid.notAfter - now;
    if (this.#isOwnAuthority(svid)) this.#foreignAnswers = 0;
    else {
      this.#foreignAnswers += 1;
      this.#hasten();
    }
    log.info("certificate issued", {
      id: svid.id,
      serial: svid.serial,
      not_after: new Date(svid.notAfter).toISOString(),
    });
    // Who throws on hearing of it makes a failure of this, which looks as well.
    this.svid.set(svid);
    this.#look();
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { clock, random, metrics, log } = this.#options;
    const code = error instanceof MeshError ? error.code : "internal";
    metrics.certificateFailures.with(code).add();
    const delayMs = backoffDelayMs(certifyBackoff, this.#failures, random());
    this.#failures += 1;
    const { notAfter = 0 } = this.svid.get() ?? {};
    const level = code === "clock_behind" || code === "clock_ahead" ? "error" : "warn";
    log[level]("certificate not issued", {
      reason: code,
      detail: messageOf(error),
      retry_ms: delayMs,
      expires_in_ms: Math.max(0, notAfter - clock.now()),
    });
    this.#due(clock.monotonic() + delayMs, Infinity);
    this.#look();
  }

  async #request(): Promise<Svid> {
    const { config, connect, clock, ownId } = this.#options;
    const { trustDomain } = config;
    if (!this.#isBundleTold) {
      const pinned = await readPinnedRoots(
        config.trustBundleFile,
        config.rootFingerprints,
        clock.now(),
      );
      // The stream may have spoken while the file was read.
      if (!this.#isBundleTold) this.#roots = pinned;
    }
    const token = await readToken(config.tokenFile);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const csr = createCsr(privateKey, { token });
    const roots = this.#roots;
    const connection = connect(roots, null);
    try {
      const asked = { csr, token, lifetimeS: config.svidLifetimeSeconds, serving: false };
      const response = await this.#inTime((signal) =>
        connection.issue(asked, issueDeadlineMs, signal),
      );
      return checkAnswer(response, { privateKey, ownId, trustDomain, roots }, clock.now());
    } finally {
      connection.close();
    }
  }

  /** The deadline is kept here, too: an answer that comes after it must not take a newer one's place. */
  async #inTime(call: (signal: AbortSignal) => Promise<IssueResponse>): Promise<IssueResponse> {
    const late = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = this.#options.clock.after(issueDeadlineMs + lookMs, () => {
      reject(
        new CertifyError("answer_late", `Cannot wait for an answer: none in ${issueDeadlineMs} ms`),
      );
      late.abort();
    });
    try {
      return await Promise.race([call(AbortSignal.any([late.signal, this.#stop.signal])), promise]);
    } finally {
      cancel();
    }
  }
}
