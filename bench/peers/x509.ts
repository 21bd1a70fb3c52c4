// The comparison for issuing: the same rules and the same leaf through @peculiar/x509 alone, as an
// issuer written against the library would do it. No token, no record, no second reading.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { PublicKeyType, X509Certificate } from "@peculiar/x509";
import { identities } from "../layout.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const lifeMs = 15 * 60 * 1000;
const backdateMs = 60 * 1000;

export interface LibraryIssuer {
  /** CSR DER -> chain, leaf first. Rejects when the CSR's own signature is wrong. */
  readonly issue: (csr: Uint8Array<ArrayBuffer>) => Promise<readonly Uint8Array[]>;
  /** SubjectPublicKeyInfo in DER -> chain, for a key that was proven before. */
  readonly certify: (publicKey: Uint8Array) => Promise<readonly Uint8Array[]>;
}

export async function makeLibraryIssuer(now: () => number): Promise<LibraryIssuer> {
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const issuer = await X509CertificateGenerator.createSelfSigned({
    name: "CN=signet bench issuer",
    notBefore: new Date(now() - backdateMs),
    notAfter: new Date(now() + 24 * 3600 * 1000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  });
  const issuerDer = new Uint8Array(issuer.rawData);
  const certify = async (publicKey: PublicKeyType): Promise<readonly Uint8Array[]> => {
    const leaf = await issueLeaf(publicKey, issuer, keys.privateKey, now());
    return [new Uint8Array(leaf.rawData), issuerDer];
  };
  return {
    async issue(csr) {
      const request = new Pkcs10CertificateRequest(csr);
      if (!(await request.verify())) throw new Error("The signature of the CSR is wrong");
      return certify(request.publicKey);
    },
    certify: (publicKey) => certify(Buffer.from(publicKey)),
  };
}

async function issueLeaf(
  publicKey: PublicKeyType,
  issuer: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  now: number,
): Promise<X509Certificate> {
  return X509CertificateGenerator.create({
    issuer: issuer.subject,
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + lifeMs),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: "url", value: identities.server }], true),
    ],
  });
}
