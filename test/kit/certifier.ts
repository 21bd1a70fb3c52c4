// A Certifier with files of its own, a clock that tests turn, and a stand-in for the controller that
// answers by the true time.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import type { KeyObject } from "node:crypto";
import type { ExecutionContext } from "ava";
import type { IssueRequest, IssueResponse } from "#/api/identity.ts";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { readCsr } from "#/identity/csr.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log, LogFields } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import type { CertifierOptions } from "#/proxy/control/certify.ts";
import { Certifier } from "#/proxy/control/certify.ts";
import { until } from "./controller-server.ts";
import * as forge from "./forge.ts";
import { receiptFor } from "./receipt.ts";
import { ManualClock } from "./manual-clock.ts";

export const startMs: number = forge.forgeNow;
export const lifeMs = 900_000;
const skewMs = 60_000;
export const ownId: SpiffeId = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
type Signer = ReturnType<typeof forge.makeAuthority>;
export const root: Signer = forge.makeAuthority("root", null, forge.authorityExtensions("any"));
export const issuer: Signer = forge.makeAuthority("issuer", root, forge.authorityExtensions(0));
export const evil: Signer = forge.makeAuthority(
  "evil root",
  null,
  forge.authorityExtensions("any"),
);
export const evilIssuer: Signer = forge.makeAuthority(
  "evil issuer",
  evil,
  forge.authorityExtensions(0),
);

export interface LeafOptions {
  readonly id?: string;
  readonly signer?: Signer;
  readonly key?: KeyObject;
  readonly lifeMs?: number;
}

/** What the stand-in for the controller answers: by its own clock, which is the true one. */
export function answerTo(
  request: IssueRequest,
  trueNow: number,
  options: LeafOptions = {},
): IssueResponse {
  const { id = ownId, signer = issuer, key = forge.newKey() } = options;
  const notAfter = trueNow + (options.lifeMs ?? lifeMs);
  const leaf = forge.forge({
    subject: "",
    key,
    publicKey: options.key === undefined ? readCsr(request.csr).publicKey : forge.spkiOf(key),
    issuer: signer,
    extensions: forge.leafExtensions(id),
    notBefore: trueNow - skewMs,
    notAfter,
  });
  const receipt = receiptFor(leaf, signer.key);
  return { certificateChain: [leaf, signer.der], trustBundle: [root.der], notAfter, receipt };
}

type Answer = (request: IssueRequest) => Promise<IssueResponse> | IssueResponse;

export class CertifierFixture implements Disposable {
  readonly directory: string = mkdtempSync(path.join(tmpdir(), "certify-"));
  readonly truth: ManualClock = new ManualClock(startMs);
  /** How far this node's wall clock is from the truth. */
  wallOffsetMs = 0;
  answer: Answer = (request) => answerTo(request, this.truth.now());
  readonly requests: IssueRequest[] = [];
  readonly trusted: (readonly Uint8Array[])[] = [];
  readonly logged: string[] = [];
  closed = 0;
  readonly registry: Registry = new Registry();
  readonly metrics: CertifierOptions["metrics"] = {
    certificatesIssued: this.registry.counter("issued", "-", []),
    certificateFailures: this.registry.counter("failures", "-", ["reason"]),
  };
  readonly seen: (Svid | null)[] = [];
  #certifier: Certifier | null = null;

  constructor() {
    this.write("token", "token-1\n");
    this.write("bundle.pem", toPem(root.der));
  }

  write(name: string, text: string): void {
    writeFileSync(path.join(this.directory, name), text);
  }

  start(pins: readonly string[] = [fingerprint(root.der)]): Certifier {
    const certifier = new Certifier(this.options(pins));
    certifier.svid.onChange((svid) => this.seen.push(svid));
    this.#certifier = certifier;
    return certifier;
  }

  options(pins: readonly string[] = [fingerprint(root.der)]): CertifierOptions {
    return {
      config: {
        tokenFile: path.join(this.directory, "token"),
        trustBundleFile: path.join(this.directory, "bundle.pem"),
        rootFingerprints: pins,
        svidLifetimeSeconds: 0,
        trustDomain: parseTrustDomain("cluster.local"),
      },
      ownId,
      metrics: this.metrics,
      connect: (roots) => {
        this.trusted.push(roots);
        return {
          issue: async (request) => {
            this.requests.push(request);
            return this.answer(request);
          },
          subscribe: () => {
            throw new Error("A certifier subscribes to nothing");
          },
          close: () => void (this.closed += 1),
        };
      },
      clock: this.#clock(),
      random: () => 0.5,
      log: this.#log(),
    };
  }

  /** Lets time pass, and what it starts come to its end. */
  async pass(ms: number): Promise<void> {
    this.truth.advance(ms);
    await settled();
  }

  get issued(): number {
    return this.metrics.certificatesIssued.with().value;
  }

  failures(reason: string): number {
    return this.metrics.certificateFailures.with(reason).value;
  }

  [Symbol.dispose](): void {
    this.#certifier?.stop();
    rmSync(this.directory, { recursive: true });
  }

  #clock(): Clock {
    const { truth } = this;
    return {
      now: () => truth.now() + this.wallOffsetMs,
      monotonic: () => truth.monotonic(),
      after: (delayMs, callback) => truth.after(delayMs, callback),
    };
  }

  #log(): Log {
    const at =
      (level: string) =>
      (message: string, fields: LogFields = {}): void =>
        void this.logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }
}

/** Runs the loop until no file is being read and what follows from it is done. */
export async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 4; quiet += 1) {
    await setImmediate();
    const busy = process.getActiveResourcesInfo().some((name) => /FSReq|CloseReq/.test(name));
    if (busy) quiet = -1;
  }
}

/** Waits for the certificate number `count`. */
export async function started(fixture: CertifierFixture, count = 1): Promise<void> {
  await until(() => fixture.issued >= count);
  await settled();
}

/** The first request ends without a certificate, for `reason`. */
export async function refuses(
  t: ExecutionContext,
  fixture: CertifierFixture,
  certifier: Certifier,
  reason: string,
): Promise<void> {
  await until(() => fixture.logged.some((line) => line.includes("certificate not issued")));
  t.is(fixture.failures(reason), 1, fixture.logged.join("\n"));
  t.is(certifier.svid.get(), null);
  t.is(fixture.issued, 0);
}
