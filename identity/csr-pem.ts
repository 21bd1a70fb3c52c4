// A PKCS#10 request as PEM (RFC 7468), for people who carry it from one machine to another.
import { readCsr } from "./csr.ts";
import { IdentityError } from "./identity-error.ts";

const block =
  /-----BEGIN CERTIFICATE REQUEST-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE REQUEST-----/;
const pemCharactersMax = 16_384;

export function toCsrPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  const body = lines.join("\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
}

/**
 * DER of SubjectPublicKeyInfo of the one request in a text, whose holder signed it. Throws IdentityError; also
 * for a request that asks for more than a key to be certified.
 */
export function readCsrPem(text: string): Uint8Array {
  const found = text.length > pemCharactersMax ? null : block.exec(text);
  if (found === null) {
    throw new IdentityError("pem_invalid", "Cannot read PEM: it holds no certificate request");
  }
  const facts = readCsr(new Uint8Array(Buffer.from(found[1]!, "base64")));
  const { hasSubject, extensionOids, binding, otherAttributes } = facts;
  const asksForMore =
    hasSubject || extensionOids.length > 0 || binding !== null || otherAttributes.length > 0;
  if (!asksForMore) return facts.publicKey;
  throw new IdentityError("csr_malformed", "Cannot sign: the request asks for more than its key", {
    next: "Sign what signet ca request printed, and nothing else",
  });
}
