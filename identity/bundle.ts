// Trust anchors: PEM in and out, and pins. A bundle file is only a hint: a root counts when its
// fingerprint was pinned by someone who is trusted already (the pod's spec).
import { hash } from "node:crypto";
import { IdentityError } from "./identity-error.ts";

/** A bundle of 32 roots of any usual size. */
const pemCharactersMax = 131_072;
const certificatesMax = 32;

const blockPattern =
  /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g;
const fingerprintPattern = /^[0-9a-f]{64}$/;

/** SHA-256 of the DER: 64 hex digits, lower case. */
export function fingerprint(der: Uint8Array): string {
  return hash("sha256", der, "hex");
}

/** One "CERTIFICATE" block of RFC 7468. */
export function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/**
 * DER of each certificate block, in order; text around them is passed over. Throws IdentityError
 * when there is none, too many, or one that is no base64. The DER itself is not looked at.
 */
export function parsePem(text: string): readonly Uint8Array[] {
  if (text.length > pemCharactersMax) {
    throw pemInvalid(`${text.length} characters are more than ${pemCharactersMax}`);
  }
  const blocks = [...text.matchAll(blockPattern)].map((match) => match[1] ?? "");
  const begun = text.split("-----BEGIN CERTIFICATE-----").length - 1;
  if (blocks.length === 0) throw pemInvalid("it holds no certificate");
  if (blocks.length !== begun) throw pemInvalid("a certificate in it is cut off or not base64");
  if (blocks.length > certificatesMax) {
    throw pemInvalid(`${blocks.length} certificates are more than ${certificatesMax}`);
  }
  return blocks.map((block) => {
    const base64 = block.replaceAll(/\s/g, "");
    const der = Buffer.from(base64, "base64");
    // Buffer passes over what it cannot read; writing it again shows that nothing was.
    if (der.toString("base64") !== base64) throw pemInvalid("a certificate in it is not base64");
    return new Uint8Array(der);
  });
}

/** Reads a comma list of fingerprints; throws IdentityError for an empty list or another form. */
export function parsePins(list: string): readonly string[] {
  const pins = list.split(",").map((pin) => pin.trim().toLowerCase());
  for (const pin of pins) {
    if (!fingerprintPattern.test(pin)) {
      throw new IdentityError("pins_unmatched", `Cannot read "${pin.slice(0, 80)}" as a pin`, {
        next: "A pin is the SHA-256 of a root's DER, 64 hex digits",
      });
    }
  }
  return pins;
}

function pemInvalid(state: string): IdentityError {
  return new IdentityError("pem_invalid", `Cannot read PEM: ${state}`);
}
