// Keeps the sidecar certified: a new key in memory for each certificate, asked for with the pod's
// token, checked like a stranger's before it is used, renewed after a third of its life. The last good
// one stays until its end; after that there is none, and the sidecar refuses to speak. A key is never
// written anywhere.
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IssueResponse } from "#/api/identity.ts";
import type { ControllerConnection } from "#/api/rpc.ts";
import { matchPins } from "#/identity/bundle.ts";
import { createCsr } from "#/identity/csr.ts";
import { renewalAtMs } from "#/identity/renewal.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { verifyChain } from "#/identity/verify.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { ProxyConfig } from "../config.ts";
import type { ProxyMetrics } from "../observe/metrics.ts";

export type CertifyErrorCode =
  | "bundle_unreadable"
  | "bundle_not_pinned"
  | "token_unreadable"
  | "issue_failed"
  | "answer_invalid"
  | "answer_foreign_key"
  | "answer_foreign_identity";

export class CertifyError extends MeshError<CertifyErrorCode> {}

const issueDeadlineMs = 10_000;
const retryBackoff = { baseMs: 250, maxMs: 15_000 };
const tokenBytesMax = 16 * 1024;

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
}

export class Certifier {
  /** The present SVID; null before the first one and after the end of the last. */
  readonly svid: Watch<Svid | null> = new Watch<Svid | null>(null);
  readonly #options: CertifierOptions;
  #roots: readonly Uint8Array[] = [];
  #failures = 0;
  #stopped = false;
  #cancelNext: () => void = () => {};
  #cancelExpiry: () => void = () => {};

  constructor(options: CertifierOptions) {
    this.#options = options;
    this.#schedule(0);
  }

  /** What is trusted now: the pinned roots at first, then what the authenticated stream brings. */
  roots(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** Takes the bundle of the authenticated stream over. Nothing else may call this. */
  trust(roots: readonly Uint8Array[]): void {
    if (roots.length > 0) this.#roots = roots;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelNext();
    this.#cancelExpiry();
  }

  #schedule(delayMs: number): void {
    this.#cancelNext = this.#options.clock.after(delayMs, () => {
      this.#renew().catch((error: unknown) => this.#failed(error));
    });
  }

  async #renew(): Promise<void> {
    const svid = await this.#request();
    if (this.#stopped) return;
    const { clock, random, metrics, log } = this.#options;
    this.#failures = 0;
    metrics.certificatesIssued.with().add();
    const now = clock.now();
    log.info("certificate issued", {
      id: svid.id,
      serial: svid.serial,
      not_after: new Date(svid.notAfter).toISOString(),
    });
    this.svid.set(svid);
    this.#cancelExpiry();
    this.#watchExpiry(svid);
    const renewAt = renewalAtMs({ issuedAt: now, notAfter: svid.notAfter }, random());
    this.#schedule(Math.max(0, renewAt - now));
  }

  #failed(error: unknown): void {
    if (this.#stopped) return;
    const { clock, random, metrics, log } = this.#options;
    const code = error instanceof MeshError ? error.code : "internal";
    metrics.certificateFailures.with(code).add();
    const delayMs = backoffDelayMs(retryBackoff, this.#failures, random());
    this.#failures += 1;
    log.warn("certificate not issued", {
      reason: code,
      detail: messageOf(error),
      retry_ms: delayMs,
      expires_in_ms: Math.max(0, (this.svid.get()?.notAfter ?? 0) - clock.now()),
    });
    this.#schedule(delayMs);
  }

  /** Wall clock, looked at each second: a clock that is set must not lengthen a life. */
  #watchExpiry(svid: Svid): void {
    const { clock, log } = this.#options;
    const look = (): void => {
      const left = svid.notAfter - clock.now();
      if (left > 0) {
        this.#cancelExpiry = clock.after(Math.min(left, EXPIRY_LOOK_MS), look);
        return;
      }
      if (this.svid.get() !== svid) return;
      log.error("certificate ended without a successor", { id: svid.id });
      this.svid.set(null);
    };
    look();
  }

  async #request(): Promise<Svid> {
    const { config, connect, clock } = this.#options;
    if (this.#roots.length === 0) this.#roots = await this.#pinnedRoots();
    const token = await readToken(config.tokenFile);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const csr = createCsr(privateKey);
    const connection = connect(this.#roots, null);
    try {
      const lifetimeS = config.svidLifetimeSeconds;
      const response = await connection.issue({ csr, token, lifetimeS }, issueDeadlineMs);
      return this.#check(response, privateKey, clock.now());
    } finally {
      connection.close();
    }
  }

  /** The answer is believed no more than a stranger's certificate. */
  #check(response: IssueResponse, privateKey: KeyObject, now: number): Svid {
    const chain = response.certificateChain;
    let leaf;
    try {
      leaf = verifyChain(chain, this.#roots, now, {
        trustDomain: this.#options.config.trustDomain,
        purpose: "client",
      });
    } catch (error) {
      throw new CertifyError("answer_invalid", `Cannot use what was issued: ${messageOf(error)}`, {
        cause: error,
      });
    }
    if (leaf.id !== this.#options.ownId) {
      throw new CertifyError(
        "answer_foreign_identity",
        `Cannot use what was issued: it is for "${leaf.id}"`,
      );
    }
    const own = createPublicKey(privateKey).export({ type: "spki", format: "der" });
    if (!own.equals(leaf.publicKey)) {
      throw new CertifyError(
        "answer_foreign_key",
        "Cannot use what was issued: it is of another key",
      );
    }
    const { id, notBefore, notAfter, serial } = leaf;
    return { id, chain, privateKey, notBefore, notAfter, serial, logIndex: response.logIndex };
  }

  /** The bundle file is a hint that anybody in the namespace may have edited: only pins count. */
  async #pinnedRoots(): Promise<readonly Uint8Array[]> {
    const { trustBundleFile, rootFingerprints } = this.#options.config;
    let pem: string;
    try {
      pem = await readFile(trustBundleFile, "utf8");
    } catch (error) {
      throw new CertifyError("bundle_unreadable", `Cannot read "${trustBundleFile}"`, {
        cause: error,
        next: "See that the ConfigMap signet-trust-bundle is in this namespace and mounted",
      });
    }
    const roots = matchPins(pem, rootFingerprints);
    if (roots.length === 0) {
      throw new CertifyError(
        "bundle_not_pinned",
        `Cannot trust "${trustBundleFile}": no certificate in it has a pinned fingerprint`,
        { next: "Restart the pod to get the present pins, or see who changed the bundle" },
      );
    }
    return roots;
  }
}

const EXPIRY_LOOK_MS = 1_000;

async function readToken(file: string): Promise<string> {
  try {
    const token = (await readFile(file, "utf8")).trim();
    if (token !== "" && token.length <= tokenBytesMax) return token;
    throw new CertifyError("token_unreadable", `Cannot use the token in "${file}": wrong size`);
  } catch (error) {
    if (error instanceof CertifyError) throw error;
    throw new CertifyError("token_unreadable", `Cannot read the token in "${file}"`, {
      cause: error,
      next: "See that the projected token volume is mounted",
    });
  }
}
