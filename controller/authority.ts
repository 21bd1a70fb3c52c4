// Puts the certificate authority together: the intermediate that certifies issuers, the
// roots that it leads to, whoever verifies tokens, and the ledger.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { TokenReviewer, WorkloadDirectory } from "#/ca/attest.ts";
import { readAuthority } from "#/ca/authority-pem.ts";
import type { IssuerOptions } from "#/ca/issuer.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { openLedger } from "#/ca/ledger/ledger.ts";
import { HeadSigner } from "#/ca/ledger/head-signer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import { logKeyOf } from "#/ca/ledger/log-key.ts";
import { keepPruned } from "#/ca/ledger/pruning.ts";
import { createCaMetrics } from "#/ca/metrics.ts";
import { CertificateAuthority } from "#/ca/service.ts";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Registry } from "#/lib/metrics.ts";
import type { ControllerConfig } from "./config.ts";
import type { AuthorityMaterial } from "./custody.ts";
import { tellCustody, unusableMaterial } from "./custody.ts";
import { servingNames } from "./serving-names.ts";

const dayMs = 86_400_000;

export interface AuthorityOptions {
  readonly config: Pick<
    ControllerConfig,
    "trustDomain" | "dataDirectory" | "logKeepDays" | "pod" | "svidLifetimeS"
  >;
  readonly material: AuthorityMaterial;
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

/** The issuer has shown that its chain leads to the roots. */
async function certifyIssuer(
  material: AuthorityMaterial,
  options: Omit<IssuerOptions, "roots" | "intermediate">,
): Promise<{ readonly roots: readonly Uint8Array[]; readonly issuer: IssuerSource }> {
  const roots = parsePem(material.roots);
  const intermediate = readAuthority(material.intermediate, material.intermediateKey);
  const issuer = await IssuerSource.start({ ...options, roots, intermediate });
  const { notAfter } = readCertificate(intermediate.certificate);
  const facts = {
    roots: roots.map((root) => fingerprint(root)),
    intermediate_not_after: new Date(notAfter).toISOString(),
  };
  tellCustody(material, facts, options.log);
  return { roots, issuer };
}

export interface OpenAuthority extends AsyncDisposable {
  readonly authority: CertificateAuthority;
  readonly issuer: IssuerSource;
  readonly ledger: Ledger;
  readonly heads: HeadSigner;
  /** DER. */
  readonly roots: readonly Uint8Array[];
}

/** Rejects with MeshError when a file cannot be read, or the intermediate cannot certify an issuer. */
export async function openAuthority(options: AuthorityOptions): Promise<OpenAuthority> {
  const { config, material, reviewer, directory, registry, clock, random, randomBytes, log } =
    options;
  const { trustDomain } = config;
  const common = { trustDomain, clock, random, randomBytes, log };
  const { roots, issuer } = await certifyIssuer(material, common).catch((thrown: unknown) => {
    throw unusableMaterial(material, thrown);
  });
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const ledger = await openLedger(path.join(config.dataDirectory, "ledger.sqlite"), clock);
  const keepMs = config.logKeepDays === null ? Infinity : config.logKeepDays * dayMs;
  const pruning = keepPruned({ ledger, keepMs, clock, log });
  const heads = new HeadSigner(logKeyOf(ledger.key(), trustDomain, config.pod.name));
  const authority = new CertificateAuthority({
    heads,
    issuer,
    attestation: { reviewer, directory, trustDomain },
    ledger,
    metrics: createCaMetrics(registry),
    roots,
    lifetimeDefaultS: config.svidLifetimeS,
    servingNames: servingNames(trustDomain),
    clock,
    randomBytes,
    log,
  });
  return {
    authority,
    issuer,
    ledger,
    heads,
    roots,
    async [Symbol.asyncDispose]() {
      issuer.stop();
      pruning[Symbol.dispose]();
      await ledger[Symbol.asyncDispose]();
    },
  };
}
