// step-ca for the suite `ca`: one JWK provisioner, whose tokens hold for one certificate each, P-256, 15
// minutes. Its database is left out, or is bbolt, which writes to disk what was issued, as our ledger does.
import { sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

export interface StepCaFolder {
  /** Absolute; holds root.crt, intermediate.crt and intermediate.key, and takes the database. */
  readonly path: string;
}

export interface StepCaOptions {
  readonly host: string;
  readonly port: number;
  /** Of the provisioner. */
  readonly publicKey: object;
  readonly database: "none" | "bbolt";
}

const provisioner = "bench";
const keyId = "bench";
const leafLifeS = 900;
const tokenLifeS = 300;

/** The text of ca.json: what `step ca init` writes, with the leaf's life and the database as named. */
export function stepCaConfig({ path }: StepCaFolder, options: StepCaOptions): string {
  const { host, port, publicKey, database } = options;
  const life = `${leafLifeS}s`;
  return JSON.stringify({
    root: `${path}/root.crt`,
    crt: `${path}/intermediate.crt`,
    key: `${path}/intermediate.key`,
    address: `${host}:${port}`,
    dnsNames: [host],
    logger: { format: "text" },
    ...(database === "none" ? {} : { db: { type: "bbolt", dataSource: `${path}/step-ca.db` } }),
    authority: {
      claims: { minTLSCertDuration: "1m", defaultTLSCertDuration: life, maxTLSCertDuration: "24h" },
      provisioners: [
        {
          type: "JWK",
          name: provisioner,
          key: { ...publicKey, kid: keyId, use: "sig", alg: "ES256" },
        },
      ],
    },
    tls: { minVersion: 1.3, maxVersion: 1.3, renegotiation: false },
  });
}

export interface StepCaTokenOptions {
  readonly host: string;
  readonly port: number;
  /** The name that the certificate is for: one URI. */
  readonly uri: string;
  /** No two tokens have the same. */
  readonly tokenId: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** A token for one certificate, signed by the provisioner's key (P-256). */
export function stepCaToken(privateKey: KeyObject, options: StepCaTokenOptions): string {
  const { host, port, uri, tokenId, now } = options;
  const issuedAt = Math.floor(now / 1000);
  const header = { alg: "ES256", kid: keyId, typ: "JWT" };
  const claims = {
    iss: provisioner,
    aud: `https://${host}:${port}/1.0/sign`,
    sub: uri,
    sans: [uri],
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + tokenLifeS,
    jti: tokenId,
  };
  const signed = [header, claims].map((part) => base64url(JSON.stringify(part))).join(".");
  const signature = sign("sha256", Buffer.from(signed), {
    key: privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${signed}.${base64url(signature)}`;
}

function base64url(value: string | Uint8Array): string {
  return Buffer.from(value).toString("base64url");
}
