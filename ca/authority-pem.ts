// An authority as two PEM texts: how it stands in files and Secrets. Pure; who calls reads the files.
import { createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { toPem, parsePem } from "#/identity/bundle.ts";
import { messageOf } from "#/lib/errors.ts";
import { isKeyOf } from "./authority-certificate.ts";
import type { Authority } from "./authority-certificate.ts";
import { CaError } from "./ca-error.ts";

/** Throws CaError `authority_invalid` unless both can be read and belong together. */
export function readAuthority(certificatePem: string, privateKeyPem: string): Authority {
  const authority = { certificate: readFirst(certificatePem), privateKey: readKey(privateKeyPem) };
  if (isKeyOf(authority)) return authority;
  throw invalid("the key is not the certificate's");
}

/** The private key is PKCS#8, not encrypted: write it where nobody else can read it. */
export function writeAuthority(authority: Authority): {
  readonly certificate: string;
  readonly privateKey: string;
} {
  const privateKey = authority.privateKey.export({ type: "pkcs8", format: "pem" });
  return { certificate: toPem(authority.certificate), privateKey };
}

function readFirst(pem: string): Uint8Array {
  try {
    const [first, ...others] = parsePem(pem);
    if (first !== undefined && others.length === 0) return first;
  } catch (thrown) {
    throw invalid(messageOf(thrown));
  }
  throw invalid("the file holds more than one certificate");
}

function readKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
    if (key.asymmetricKeyType === "ml-dsa-65") return key;
  } catch {
    // What OpenSSL says may repeat parts of the key: it goes nowhere.
    throw invalid("the key cannot be read");
  }
  throw invalid("the key is neither on the curve P-256 nor of ML-DSA-65");
}

function invalid(state: string): CaError {
  return new CaError("authority_invalid", `Cannot read authority: ${state}`, {
    next: "Give a certificate and its key as PEM; certs-dev makes some for development",
  });
}
