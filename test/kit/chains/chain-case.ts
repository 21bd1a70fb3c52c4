// One row of the table that verifiers are judged by, and what rows are made of: a root, an intermediate
// and an issuer like ours, and leaves under it that are as good or as bad as a row wants them.
import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { IdentityErrorCode } from "#/identity/identity-error.ts";
import { oid } from "#/identity/object-identifiers.ts";
import { contextTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "../forge.ts";

/** Who judges beside verifyChain. `sidecar` is a handshake: OpenSSL as Node has it, then our own rules. */
export type Judge = "openssl" | "goSpiffe" | "sidecar";
export type Verdict = "accepted" | "refused";

export interface ChainCase {
  /** What is wrong, or right, with the chain. */
  readonly title: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** DER of what is trusted; default `roots`. */
  readonly roots?: readonly Uint8Array[];
  /** Of the leaf; default `leafKey`. */
  readonly key?: KeyObject;
  /** Milliseconds since the Unix epoch; default `now`. No handshake can be held at another time. */
  readonly at?: number;
  /** What verifyChain says, and everybody who is not in `differs`. */
  readonly verdict: "accepted" | IdentityErrorCode;
  /** Who says the opposite, and why that is so and does no harm. */
  readonly differs?: Readonly<Partial<Record<Judge, string>>>;
}

/** What this judge is expected to say. */
export function expectedOf({ verdict, differs }: ChainCase, judge: Judge): Verdict {
  const isAccepted = (verdict === "accepted") === (differs?.[judge] === undefined);
  return isAccepted ? "accepted" : "refused";
}

export const hourMs = 3_600_000;
/** Real time, to the second: a handshake is judged by the machine's clock. */
export const now: number = Math.floor(Date.now() / 1000) * 1000;
const life = { notBefore: now - hourMs, notAfter: now + hourMs };

export const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
export const leafKey: KeyObject = kit.newKey();

export type Authority = kit.Identity & { readonly der: Uint8Array };
export type Changes = Partial<kit.ForgeOptions>;

/** A leaf of `id` with `leafKey`, but for what is changed. */
export function leaf(issuer: kit.Identity, changes: Changes = {}): Uint8Array {
  const extensions = kit.leafExtensions(id);
  return kit.forge({ subject: "", key: leafKey, issuer, extensions, ...life, ...changes });
}

/** `issuer` null: self-signed. */
export function authority(
  name: string,
  issuer: kit.Identity | null,
  extensions: readonly Uint8Array[],
  changes: Changes = {},
): Authority {
  const key = changes.key ?? kit.newKey();
  const signer = issuer ?? { name, key };
  const given = { subject: name, key, issuer: signer, extensions, ...life, ...changes };
  return { name, key, der: kit.forge(given) };
}

export const plain: readonly Uint8Array[] = kit.authorityExtensions(0);
/** What an issuer of ours has. */
export const constrained: readonly Uint8Array[] = [
  ...plain,
  kit.nameConstraints(["cluster.local"]),
];

export const root: Authority = authority("root", null, kit.authorityExtensions(2));
export const roots: readonly Uint8Array[] = [root.der];
export const intermediate: Authority = authority("intermediate", root, kit.authorityExtensions(1));
export const issuer: Authority = authority("issuer", intermediate, constrained);
export const above: readonly Uint8Array[] = [issuer.der, intermediate.der];

/** Leaf, an issuer with these extensions, intermediate. */
export function under(
  extensions: readonly Uint8Array[],
  changes: Changes = {},
  names: readonly Uint8Array[] = kit.leafExtensions(id),
): readonly Uint8Array[] {
  const own = authority("issuer", intermediate, extensions, changes);
  return [leaf(own, { extensions: names }), own.der, intermediate.der];
}

/** A leaf that is changed, under what is as it should be. */
export function withLeaf(changes: Changes): readonly Uint8Array[] {
  return [leaf(issuer, changes), ...above];
}

/** As kit.leafExtensions, with another extension in place of the one of its type, or none. */
export function leafExtensions(type: string, instead: Uint8Array | null): readonly Uint8Array[] {
  const marked = Buffer.from(encode.encodeObjectIdentifier(type));
  return kit.leafExtensions(id).flatMap((one) => {
    if (!Buffer.from(one).includes(marked)) return [one];
    return instead === null ? [] : [instead];
  });
}

/** Extensions of a leaf with these names. */
export function named(...names: readonly Uint8Array[]): readonly Uint8Array[] {
  return leafExtensions(oid.subjectAlternativeName, kit.alternativeNames(names));
}

export function uri(text: string | Uint8Array): Uint8Array {
  return kit.generalName(6, text);
}

export function authorityKeyId(keyId: Uint8Array): Uint8Array {
  const identifier = encode.encodeElement(contextTag(0, "primitive"), keyId);
  return kit.extension(oid.authorityKeyIdentifier, false, encode.encodeSequence(identifier));
}

export function subjectKeyId(keyId: Uint8Array): Uint8Array {
  return kit.extension(oid.subjectKeyIdentifier, false, encode.encodeOctetString(keyId));
}

/** RFC 7093: any bytes that tell keys apart will do. */
export function keyIdOf({ key }: kit.Identity): Uint8Array {
  return new Uint8Array(createHash("sha256").update(kit.spkiOf(key)).digest().subarray(0, 20));
}
