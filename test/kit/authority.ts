// Certificates for tests: a root, an issuer under it, and leaves as good or as bad as a test wants
// them. Made with a library, so that what the mesh reads is not what the mesh wrote.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { KeyObject, webcrypto } from "node:crypto";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const yearMs = 365 * 86_400_000;
const extendedKeyUsages = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

export interface LeafOptions {
  /** Milliseconds since the Unix epoch; default a minute ago. */
  readonly notBefore?: number;
  /** Default in an hour. */
  readonly notAfter?: number;
  readonly usages?: readonly (keyof typeof extendedKeyUsages)[];
  /** In place of the one URI SAN; for certificates that must be refused. */
  readonly names?: readonly { readonly type: "url" | "dns"; readonly value: string }[];
}

export interface Authority {
  /** DER of the root. */
  readonly root: Uint8Array;
  /** A certificate for `id` (a SPIFFE ID) with a new key. */
  issue(id: string, options?: LeafOptions): Promise<Svid>;
}

/** A new root with a new issuer; `name` tells it from others in error messages. */
export async function createAuthority(name = "test"): Promise<Authority> {
  const rootKeys = await newKeys();
  const issuerKeys = await newKeys();
  const root = await certificate(`CN=${name} root`, rootKeys.publicKey, rootKeys, null, 1);
  const issuer = await certificate(`CN=${name} issuer`, issuerKeys.publicKey, rootKeys, root, 0);
  return {
    root: new Uint8Array(root.rawData),
    issue: (id, options = {}) => issueLeaf(issuer, issuerKeys, id, options),
  };
}

async function issueLeaf(
  issuer: x509.X509Certificate,
  issuerKeys: webcrypto.CryptoKeyPair,
  id: string,
  options: LeafOptions,
): Promise<Svid> {
  const keys = await newKeys();
  const notBefore = wholeSecond(options.notBefore ?? Date.now() - 60_000);
  const notAfter = wholeSecond(options.notAfter ?? Date.now() + 3_600_000);
  const usages = options.usages ?? ["server", "client"];
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: "",
    issuer: issuer.subject,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey: keys.publicKey,
    signingKey: issuerKeys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages.map((usage) => extendedKeyUsages[usage])),
      new x509.SubjectAlternativeNameExtension(
        [...(options.names ?? [{ type: "url", value: id }])],
        true,
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return {
    id: parseSpiffeId(id),
    chain: [new Uint8Array(leaf.rawData), new Uint8Array(issuer.rawData)],
    privateKey: KeyObject.from(keys.privateKey),
    notBefore,
    notAfter,
    serial: leaf.serialNumber,
    logIndex: null,
  };
}

async function certificate(
  subject: string,
  publicKey: webcrypto.CryptoKey,
  signer: webcrypto.CryptoKeyPair,
  issuer: x509.X509Certificate | null,
  pathLength: number,
): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: new Date(Date.now() - yearMs),
    notAfter: new Date(Date.now() + yearMs),
    publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = 0x40 | (bytes[0]! & 0x3f);
  return Buffer.from(bytes).toString("hex");
}

/** Certificates count in seconds. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
