// Throw-away certificates for the peers: one root, one leaf per end of the pair, P-256 as ours are.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { X509Certificate } from "@peculiar/x509";
import { identities, proxyUid, serverName } from "./layout.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const lifeMs = 7 * 24 * 3600 * 1000;
const backdateMs = 60 * 1000;

/** Writes ca.crt, and for both ends .crt, .key and .pem (both in one file), readable by the proxies only. */
export async function writeCertificates(folder: string, now: number): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  chownSync(folder, proxyUid, proxyUid);
  const root = await makeRoot(now);
  write(folder, "ca.crt", root.certificate.toString("pem"));
  for (const [name, identity, dnsName] of [
    ["out", identities.client, "app-a"],
    ["in", identities.server, serverName],
  ] as const) {
    const leaf = await makeLeaf(root, identity, dnsName, now);
    write(folder, `${name}.crt`, leaf.certificate);
    write(folder, `${name}.key`, leaf.key);
    write(folder, `${name}.pem`, `${leaf.certificate}\n${leaf.key}\n`);
  }
}

interface Root {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function makeRoot(now: number): Promise<Root> {
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=signet bench",
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + lifeMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  });
  return { certificate, keys };
}

async function makeLeaf(
  root: Root,
  identity: string,
  dnsName: string,
  now: number,
): Promise<{ certificate: string; key: string }> {
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${dnsName}`,
    issuer: root.certificate.subject,
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + lifeMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: root.keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        { type: "url", value: identity },
        { type: "dns", value: dnsName },
      ]),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificate: certificate.toString("pem"),
    key: PemConverter.encode(pkcs8, "PRIVATE KEY"),
  };
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function write(folder: string, name: string, text: string): void {
  const file = `${folder}/${name}`;
  writeFileSync(file, text, { mode: 0o400 });
  chownSync(file, proxyUid, proxyUid);
}
