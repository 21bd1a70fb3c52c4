// CSRs to issue for: a few hundred keys, so that no cache of one key flatters anybody.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

const requestCount = 256;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** DER of distinct, valid P-256 CSRs without subject and extensions, as our sidecars send them. */
export async function makeRequests(): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  return Promise.all(Array.from({ length: requestCount }, makeRequest));
}

async function makeRequest(): Promise<Uint8Array<ArrayBuffer>> {
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: algorithm,
  });
  return new Uint8Array(request.rawData);
}
