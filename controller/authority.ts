// Puts the certificate authority together: the intermediate that certifies issuers, the
// roots that it leads to, whoever verifies tokens, and the ledger.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { TokenReviewer, WorkloadDirectory } from "#/ca/attest.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { JwtAuthority } from "#/ca/jwt-authority.ts";
import { openLedger } from "#/ca/ledger/ledger.ts";
import { HeadSigner } from "#/ca/ledger/head-signer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import { openLogKey } from "#/ca/ledger/log-key.ts";
import { keepPruned } from "#/ca/ledger/pruning.ts";
import { createCaMetrics } from "#/ca/metrics.ts";
import { CertificateAuthority } from "#/ca/service.ts";
import type { Clock } from "#/lib/clock.ts";
import { drawAhead } from "#/lib/drawn-ahead.ts";
import type { Log } from "#/lib/log.ts";
import type { Registry } from "#/lib/metrics.ts";
import { Watch } from "#/lib/watch.ts";
import type { ControllerConfig } from "./config.ts";
import type { Stored } from "./custody.ts";
import { unusable } from "./custody.ts";
import { servingNames } from "./serving-names.ts";
import { readTrust, tellTrust } from "./trust.ts";
import type { Trust } from "./trust.ts";

const dayMs = 86_400_000;

export interface AuthorityOptions {
  readonly config: Pick<
    ControllerConfig,
    "trustDomain" | "dataDirectory" | "logKeepDays" | "pod" | "svidLifetimeS"
  >;
  readonly stored: Stored;
  readonly reviewer: TokenReviewer;
  readonly directory: WorkloadDirectory;
  readonly registry: Registry;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

export interface OpenAuthority extends AsyncDisposable {
  readonly authority: CertificateAuthority;
  readonly jwt: JwtAuthority;
  readonly issuer: IssuerSource;
  readonly ledger: Ledger;
  readonly heads: HeadSigner;
  /** What it works with; another one is for whoever follows the store to set. */
  readonly trust: Watch<Trust>;
}

/** Rejects with MeshError when a file cannot be read, or the intermediate cannot certify an issuer. */
export async function openAuthority(options: AuthorityOptions): Promise<OpenAuthority> {
  const { config, reviewer, directory, registry, clock, randomBytes, log } = options;
  const { trustDomain } = config;
  const { trust: first, issuer } = await certifyIssuer(options);
  const trust = new Watch(first);
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const ledger = await openLedger(path.join(config.dataDirectory, "ledger.sqlite"), clock);
  const keepMs = config.logKeepDays === null ? Infinity : config.logKeepDays * dayMs;
  const pruning = keepPruned({ ledger, keepMs, clock, log });
  const heads = new HeadSigner(
    openLogKey(path.join(config.dataDirectory, "log-key.sqlite"), trustDomain, config.pod.name),
  );
  const attestation = { reviewer, directory, trustDomain };
  const metrics = createCaMetrics(registry);
  const authority = new CertificateAuthority({
    heads,
    issuer,
    attestation,
    ledger,
    metrics,
    roots: () => trust.get().bundle.roots,
    lifetimeDefaultS: config.svidLifetimeS,
    servingNames: servingNames(trustDomain),
    clock,
    randomBytes: drawAhead(randomBytes),
    log,
  });
  const intermediate = () => trust.get().intermediate.privateKey;
  const signing = { issuer, intermediate, trustDomain };
  const jwt = new JwtAuthority({ ...signing, attestation, metrics, clock, randomBytes, log });
  return {
    authority,
    jwt,
    issuer,
    ledger,
    heads,
    trust,
    async [Symbol.asyncDispose]() {
      issuer.stop();
      pruning[Symbol.dispose]();
      await ledger[Symbol.asyncDispose]();
    },
  };
}

/** The issuer has shown that its chain leads to the roots. */
async function certifyIssuer({
  stored,
  config: { trustDomain },
  clock,
  random,
  randomBytes,
  log,
}: AuthorityOptions): Promise<{ readonly trust: Trust; readonly issuer: IssuerSource }> {
  try {
    const trust = readTrust(stored, trustDomain);
    const { bundle, intermediate } = trust;
    const { roots } = bundle;
    const common = { trustDomain, clock, random, randomBytes, log };
    const issuer = await IssuerSource.start({ ...common, roots, intermediate });
    tellTrust(trust, log);
    return { trust, issuer };
  } catch (thrown) {
    throw unusable(stored, thrown);
  }
}
