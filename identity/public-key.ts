// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7): which kind of key it is, from the DER.
import { DerError, derTag, openDer, readBitString, readObjectIdentifier } from "#/lib/der.ts";
import type { DerElement } from "#/lib/der.ts";
import { oid } from "./object-identifiers.ts";

export type KeyKind = "ec-p256" | "ec-p384" | "ec-p521" | "rsa" | "ed25519" | "ml-dsa-65" | "other";

const curves: Readonly<Record<string, KeyKind>> = {
  [oid.curveP256]: "ec-p256",
  [oid.curveP384]: "ec-p384",
  [oid.curveP521]: "ec-p521",
};

export interface PublicKeyInfo {
  readonly kind: KeyKind;
  /** The whole SubjectPublicKeyInfo, as node:crypto takes it. */
  readonly der: Uint8Array;
  /** The bits of the key alone: for an elliptic curve, its point. */
  readonly bits: Uint8Array;
}

/** Reads the structure; whether a point lies on its curve is OpenSSL's to say. */
export function readPublicKeyInfo(element: DerElement): PublicKeyInfo {
  const fields = openDer(element, derTag.sequence);
  const algorithm = fields.open(derTag.sequence);
  const bits = readBitString(fields.take(derTag.bitString));
  fields.finish();
  if (bits.unusedBits !== 0) throw new DerError("der_value_invalid", "Cannot read key: odd bits");
  const type = readObjectIdentifier(algorithm.take(derTag.objectIdentifier));
  const curve = algorithm.takeIf(derTag.objectIdentifier);
  const kind = kindOf(type, curve === null ? null : readObjectIdentifier(curve));
  if (kind !== "rsa" && kind !== "other") algorithm.finish();
  return { kind, der: element.whole, bits: bits.bytes };
}

/** P-256 with its point written out (SEC 1 section 2.3.3): the only kind we certify. */
export function isCertifiableKey({ kind, bits }: PublicKeyInfo): boolean {
  return kind === "ec-p256" && bits.length === 65 && bits[0] === 4;
}

function kindOf(type: string, curve: string | null): KeyKind {
  if (type === oid.ecPublicKey) return curves[curve ?? ""] ?? "other";
  if (type === oid.rsaEncryption) return "rsa";
  if (type === oid.mlDsa65) return "ml-dsa-65";
  return type === oid.ed25519 ? "ed25519" : "other";
}
