// Puts the certificate authority together from its files: the intermediate that certifies issuers, the
// roots that it leads to, the keys that tokens are verified with, and the ledger.
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { createJwksReviewer } from "#/ca/attest.ts";
import type { WorkloadDirectory } from "#/ca/attest.ts";
import { readAuthority } from "#/ca/authority-pem.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { openLedger } from "#/ca/ledger/ledger.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import { createCaMetrics } from "#/ca/metrics.ts";
import { CertificateAuthority } from "#/ca/service.ts";
import { parsePem } from "#/identity/bundle.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { Registry } from "#/lib/metrics.ts";
import type { ControllerConfig } from "./config.ts";

class AuthorityError extends MeshError<"authority_unreadable"> {}

export interface AuthorityOptions {
  readonly config: Pick<
    ControllerConfig,
    | "trustDomain"
    | "caDirectory"
    | "dataDirectory"
    | "tokenIssuer"
    | "tokenJwksFile"
    | "svidLifetimeS"
  >;
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
  readonly issuer: IssuerSource;
  readonly ledger: Ledger;
  /** DER. */
  readonly roots: readonly Uint8Array[];
}

/** Rejects with MeshError when a file cannot be read, or the intermediate cannot certify an issuer. */
export async function openAuthority(options: AuthorityOptions): Promise<OpenAuthority> {
  const { config, directory, registry, clock, random, randomBytes, log } = options;
  const { trustDomain } = config;
  const read = (name: string): Promise<string> => readText(path.join(config.caDirectory, name));
  const roots = parsePem(await read("root.crt"));
  const intermediate = readAuthority(
    await read("intermediate.crt"),
    await read("intermediate.key"),
  );
  const issuer = await IssuerSource.start({
    trustDomain,
    intermediate,
    roots,
    clock,
    random,
    randomBytes,
    log,
  });
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const ledger = await openLedger(path.join(config.dataDirectory, "ledger.sqlite"), clock);
  const reviewer = createJwksReviewer({
    issuer: config.tokenIssuer,
    readJwks: () => readFile(config.tokenJwksFile, "utf8"),
    clock,
  });
  const authority = new CertificateAuthority({
    issuer,
    attestation: { reviewer, directory, trustDomain },
    ledger,
    metrics: createCaMetrics(registry),
    roots,
    lifetimeDefaultS: config.svidLifetimeS,
    clock,
    randomBytes,
    log,
  });
  return {
    authority,
    issuer,
    ledger,
    roots,
    async [Symbol.asyncDispose]() {
      issuer.stop();
      await ledger[Symbol.asyncDispose]();
    },
  };
}

/** Of a key file the path is told and never what stands in it. */
async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? "unknown";
    throw new AuthorityError("authority_unreadable", `Cannot read "${file}": ${code}`, {
      next: "See that SIGNET_CA_DIRECTORY holds root.crt, intermediate.crt and intermediate.key",
    });
  }
}
