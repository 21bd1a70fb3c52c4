// Keeps the webhook server certified: by the mesh's own CA, with a new key in memory each time, renewed
// after a third of its life; or by two files that somebody else keeps, read again when they change. The
// last good one stays until another is there.
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { readToken } from "#/api/bootstrap.ts";
import type { ControllerConnection } from "#/api/rpc.ts";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { createCsr } from "#/identity/csr.ts";
import { renewalAtMs } from "#/identity/renewal.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { ServingCertificate } from "./server.ts";
import { checkServingAnswer } from "./serving-answer.ts";
import type { ServingFiles } from "./config.ts";
import type { Trust } from "./trust.ts";

export interface ServingSource extends Disposable {
  readonly serving: Watch<ServingCertificate | null>;
}

const issueDeadlineMs = 10_000;
/** After the mesh hung itself elsewhere: until a new certificate is asked for, and asked for again. */
const hastenedMs = 1_000;
const foreignMs = 5_000;
const backoff = { baseMs: 250, maxMs: 15_000 } as const;
/** How often files are looked at: kubelet swaps a mounted Secret within a minute or so. */
const lookMs = 5_000;

export interface IssuedServingOptions {
  readonly tokenFile: string;
  /** What is trusted, and known to API servers. */
  readonly trust: Watch<Trust>;
  /** The name that API servers call. */
  readonly dnsName: string;
  readonly connect: (roots: readonly Uint8Array[]) => ControllerConnection;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** From the mesh's own CA. */
export class IssuedServing implements ServingSource {
  readonly serving: Watch<ServingCertificate | null> = new Watch<ServingCertificate | null>(null);
  readonly #options: IssuedServingOptions;
  readonly #stop = new AbortController();
  #cancel: () => void = () => {};
  readonly #stopListening: () => void;
  /** Fingerprints of the authorities above the present certificate. */
  #above: readonly string[] = [];
  #failures = 0;

  constructor(options: IssuedServingOptions) {
    this.#options = options;
    this.#stopListening = options.trust.onChange(() => {
      if (this.serving.get() !== null && this.#isForeign()) this.#again(hastenedMs);
    });
    this.#ask();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#stopListening();
    this.#cancel();
  }

  /** The mesh hangs from another intermediate by now. */
  #isForeign(): boolean {
    const authority = this.#options.trust.get().texts.authority.trim();
    return authority !== "" && !this.#above.includes(authority);
  }

  #ask(): void {
    const { clock, log, random } = this.#options;
    this.#request().then(
      (notAfter) => {
        this.#failures = 0;
        log.info("serving certificate issued", { not_after: new Date(notAfter).toISOString() });
        const now = clock.now();
        const delayMs = renewalAtMs({ issuedAt: now, notAfter }, random()) - now;
        this.#again(this.#isForeign() ? Math.min(delayMs, foreignMs) : delayMs);
      },
      (error: unknown) => {
        if (this.#stop.signal.aborted) return;
        const delayMs = backoffDelayMs(backoff, this.#failures, random());
        this.#failures += 1;
        log.warn("serving certificate not issued", {
          reason: messageOf(error),
          retry_ms: delayMs,
        });
        this.#again(delayMs);
      },
    );
  }

  #again(delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    this.#cancel();
    this.#cancel = this.#options.clock.after(delayMs, () => this.#ask());
  }

  /** Returns the end of its life. */
  async #request(): Promise<number> {
    const { tokenFile, trust, dnsName, connect } = this.#options;
    const { roots } = trust.get();
    const token = await readToken(tokenFile);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const connection = connect(roots);
    try {
      const asked = { csr: createCsr(privateKey, { token }), token, lifetimeS: 0, serving: true };
      const answer = await connection.issue(asked, issueDeadlineMs, this.#stop.signal);
      checkServingAnswer(answer, privateKey, roots, dnsName);
      this.#above = answer.certificateChain.slice(1).map((der) => fingerprint(der));
      this.serving.set({
        certificate: answer.certificateChain.map((der) => toPem(der)).join(""),
        key: privateKey.export({ type: "pkcs8", format: "pem" }),
      });
      return answer.notAfter;
    } finally {
      connection.close();
    }
  }
}

/** From two files. */
export class FileServing implements ServingSource {
  readonly serving: Watch<ServingCertificate | null> = new Watch<ServingCertificate | null>(null);
  readonly #files: ServingFiles;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(files: ServingFiles, clock: Clock, log: Log) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    void this.#look();
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { certificateFile, keyFile } = this.#files;
    try {
      const certificate = await readFile(certificateFile, "utf8");
      const key = await readFile(keyFile, "utf8");
      const present = this.serving.get();
      if (present?.certificate !== certificate || present.key !== key) {
        this.serving.set({ certificate, key });
        this.#log.info("serving certificate read", { file: certificateFile });
      }
    } catch (error) {
      this.#log.warn("serving certificate not read", { reason: messageOf(error) });
    }
    if (!this.#stopped) this.#cancel = this.#clock.after(lookMs, () => void this.#look());
  }
}
