// The whole authority in one process: root, intermediate, issuer, ledger, and a world of pods with
// tokens that a test signs. Everything is real but the world and the clock.
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import type { JWTPayload } from "jose";
import { createJwksReviewer } from "#/ca/attest.ts";
import type { DirectoryPod, TokenReviewer } from "#/ca/attest.ts";
import { createIntermediate, createRoot } from "#/ca/authority-certificate.ts";
import type { Authority } from "#/ca/authority-certificate.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { HeadSigner } from "#/ca/ledger/head-signer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import { logKeyOf, newLogKey } from "#/ca/ledger/log-key.ts";
import { openLedgerInMemory } from "./ledger.ts";
import { createCaMetrics } from "#/ca/metrics.ts";
import { JwtAuthority } from "#/ca/jwt-authority.ts";
import { CertificateAuthority } from "#/ca/service.ts";
import type { CertificateAuthorityOptions } from "#/ca/service.ts";
import { createCsr } from "#/identity/csr.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { silentLog } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { ManualClock } from "./manual-clock.ts";

export const trustDomain: TrustDomain = parseTrustDomain("cluster.local");
export const startMs: number = Date.UTC(2030, 0, 1);
export const tokenIssuer = "https://issuer.test";
const dayMs = 86_400_000;

export interface PodFixture extends DirectoryPod {
  readonly namespace: string;
  readonly name: string;
}

export class AuthorityFixture implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly registry: Registry = new Registry();
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly ledger: Ledger;
  readonly issuer: IssuerSource;
  readonly ca: CertificateAuthority;
  readonly jwt: JwtAuthority;
  /** The intermediate that tokens' keys follow from. */
  signing: Authority;
  readonly suspended: Set<SpiffeId> = new Set();
  /** What the token's authority logged. */
  readonly logged: string[] = [];
  readonly pods: Map<string, DirectoryPod> = new Map();
  readonly tokenKey: KeyObject;

  constructor(parts: Parts) {
    this.clock = parts.clock;
    this.root = parts.root;
    this.intermediate = parts.intermediate;
    this.signing = parts.intermediate;
    this.issuer = parts.issuer;
    this.tokenKey = parts.tokenKey;
    this.ledger = parts.ledger;
    const attestation = {
      reviewer: parts.reviewer,
      directory: {
        pod: (namespace: string, name: string) => this.pods.get(`${namespace}/${name}`) ?? null,
        isSuspended: (id: SpiffeId) => this.suspended.has(id),
      },
      trustDomain,
    };
    const metrics = createCaMetrics(this.registry);
    const say = (message: string, fields: object = {}): void =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    this.jwt = new JwtAuthority({
      issuer: parts.wrapIssuer(parts.issuer),
      attestation,
      trustDomain,
      intermediate: () => this.signing.privateKey,
      metrics,
      clock: parts.clock,
      randomBytes,
      log: { debug: say, info: say, warn: say, error: say },
    });
    this.ca = new CertificateAuthority({
      issuer: parts.wrapIssuer(parts.issuer),
      attestation,
      ledger: parts.ledger,
      heads: new HeadSigner(logKeyOf(newLogKey(), trustDomain, "test")),
      metrics,
      roots: () => [parts.root.certificate],
      lifetimeDefaultS: 900,
      servingNames: new Map([
        [workloadId(trustDomain, "signet-system", "hook"), ["hook.signet-system.svc"]],
      ]),
      clock: parts.clock,
      randomBytes,
      log: silentLog,
    });
  }

  /** A live pod; fields can be made wrong. */
  addPod(change: Partial<PodFixture> = {}): PodFixture {
    const pod = {
      namespace: "app-a",
      name: "app-a-1",
      uid: randomUUID(),
      serviceAccount: "app-a",
      node: "node-1",
      addresses: ["10.0.0.7"],
      isLive: true,
      ...change,
    };
    this.pods.set(`${pod.namespace}/${pod.name}`, pod);
    return pod;
  }

  /** The token that kubelet would mount in `pod`; claims can be made wrong. */
  token(pod: PodFixture, change: JWTPayload = {}, key: KeyObject = this.tokenKey): Promise<string> {
    const now = Math.floor(this.clock.now() / 1000);
    const claims = {
      iss: tokenIssuer,
      aud: ["signet-ca"],
      sub: `system:serviceaccount:${pod.namespace}:${pod.serviceAccount}`,
      iat: now,
      nbf: now,
      exp: now + 600,
      "kubernetes.io": {
        namespace: pod.namespace,
        serviceaccount: { name: pod.serviceAccount, uid: randomUUID() },
        pod: { name: pod.name, uid: pod.uid },
      },
      ...change,
    };
    return new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "test" }).sign(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.issuer.stop();
    await this.ledger[Symbol.asyncDispose]();
  }
}

interface Parts {
  readonly clock: ManualClock;
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly issuer: IssuerSource;
  readonly reviewer: TokenReviewer;
  readonly ledger: Ledger;
  readonly tokenKey: KeyObject;
  readonly wrapIssuer: NonNullable<FixtureOptions["wrapIssuer"]>;
}

export interface FixtureOptions {
  /** Its clock's start, ms since the Unix epoch; default `startMs`. Real TLS needs the real time. */
  readonly atMs?: number;
  readonly intermediateLifeMs?: number;
  /** Stands between the authority and its issuer, to make it wrong. */
  readonly wrapIssuer?: (issuer: IssuerSource) => CertificateAuthorityOptions["issuer"];
}

export async function createFixture(options: FixtureOptions = {}): Promise<AuthorityFixture> {
  const { atMs = startMs } = options;
  const clock = new ManualClock(atMs);
  const { root, intermediate } = await createAuthorities(options.intermediateLifeMs, atMs);
  const issuer = await IssuerSource.start({
    trustDomain,
    intermediate,
    roots: [root.certificate],
    clock,
    randomBytes,
    random: () => 0.5,
    log: silentLog,
  });
  const tokenKeys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...tokenKeys.publicKey.export({ format: "jwk" }), kid: "test", alg: "ES256" };
  const reviewer = createJwksReviewer({
    issuer: tokenIssuer,
    readJwks: () => Promise.resolve(JSON.stringify({ keys: [jwk] })),
    clock,
  });
  return new AuthorityFixture({
    clock,
    root,
    intermediate,
    issuer,
    reviewer,
    ledger: openLedgerInMemory(),
    tokenKey: tokenKeys.privateKey,
    wrapIssuer: options.wrapIssuer ?? ((source) => source),
  });
}

export async function createAuthorities(
  intermediateLifeMs: number = 365 * dayMs,
  atMs: number = startMs,
): Promise<{ readonly root: Authority; readonly intermediate: Authority }> {
  const notBefore = atMs - dayMs;
  const root = await createRoot({
    name: "test root",
    trustDomain,
    notBefore,
    notAfter: atMs + 3650 * dayMs,
  });
  const intermediate = await createIntermediate(root, {
    name: "test intermediate",
    trustDomain,
    notBefore,
    notAfter: atMs + intermediateLifeMs,
  });
  return { root, intermediate };
}

/** A request with a new key, as sidecars send it with this token. */
export function newCsr(token: string): {
  readonly csr: Uint8Array;
  readonly privateKey: KeyObject;
} {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { csr: createCsr(privateKey, { token }), privateKey };
}
