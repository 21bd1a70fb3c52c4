// Certificates that say the right thing in the wrong bytes.
import { oid } from "#/identity/object-identifiers.ts";
import { derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "../forge.ts";
import type { ChainCase } from "./chain-case.ts";
import {
  above,
  constrained,
  id,
  issuer,
  leaf,
  leafExtensions,
  now,
  under,
  withLeaf,
} from "./chain-case.ts";

const malformed = { verdict: "certificate_malformed" } as const;
const lenient = "it reads more than DER; the one certificate then means the same";
const opensslReads = { openssl: lenient };
const bothRead = { openssl: lenient, goSpiffe: lenient };

function serial(...bytes: readonly number[]): readonly Uint8Array[] {
  return withLeaf({ serial: Uint8Array.from(bytes) });
}

function extended(...more: readonly Uint8Array[]): readonly Uint8Array[] {
  return withLeaf({ extensions: [...kit.leafExtensions(id), ...more] });
}

/** A time as these bytes, in place of the leaf's notBefore. */
function begins(tag: number, text: string): readonly Uint8Array[] {
  const begin = encode.encodeElement(tag, new TextEncoder().encode(text));
  return withLeaf({ validity: encode.encodeSequence(begin, encode.encodeTime(now + 3_600_000)) });
}

/** "YYYYMMDDHHMMSS" of yesterday. */
const digits = new Date(now - 86_400_000).toISOString().replaceAll(/\D/g, "").slice(0, 14);

/** The one element, with its length in a byte more than it needs. */
function longLength(der: Uint8Array): Uint8Array {
  const lengthBytes = der[1]! & 0x7f;
  const length = der.subarray(2, 2 + lengthBytes);
  return Uint8Array.of(
    der[0]!,
    0x80 + lengthBytes + 1,
    0,
    ...length,
    ...der.subarray(2 + lengthBytes),
  );
}

/** The one element, with the indefinite length of BER. */
function indefinite(der: Uint8Array): Uint8Array {
  const lengthBytes = der[1]! & 0x7f;
  return Uint8Array.of(der[0]!, 0x80, ...der.subarray(2 + lengthBytes), 0, 0);
}

const trueAsOne = Uint8Array.of(derTag.boolean, 1, 1);
const berCritical = encode.encodeSequence(
  encode.encodeObjectIdentifier(oid.basicConstraints),
  trueAsOne,
  encode.encodeOctetString(encode.encodeSequence()),
);
const berAuthority = kit.extension(
  oid.basicConstraints,
  true,
  encode.encodeSequence(trueAsOne, encode.encodeSmallInteger(0)),
);
const defaultWritten = kit.extension(
  oid.basicConstraints,
  true,
  encode.encodeSequence(encode.encodeBoolean(false)),
);
const notCriticalWritten = encode.encodeSequence(
  encode.encodeObjectIdentifier("1.2.3.4"),
  encode.encodeBoolean(false),
  encode.encodeOctetString(encode.encodeSequence()),
);
const trailingInside = kit.extension(
  oid.extendedKeyUsage,
  false,
  Uint8Array.of(
    ...encode.encodeSequence(
      encode.encodeObjectIdentifier(oid.serverAuth),
      encode.encodeObjectIdentifier(oid.clientAuth),
    ),
    0,
  ),
);
const usageTrailing = kit.extension(
  oid.keyUsage,
  true,
  encode.encodeBitString(Uint8Array.of(0x80), 0),
);
const unknown = (critical: boolean): Uint8Array =>
  kit.extension("1.2.3.4", critical, encode.encodeSequence());
const twice = kit.extendedKeyUsage(oid.serverAuth, oid.clientAuth);

export const encodings: readonly ChainCase[] = [
  { title: "attack-5 an extension twice", chain: extended(twice), ...malformed },
  {
    title: "attack-5 a second basicConstraints, of an authority",
    chain: extended(kit.basicConstraints("any")),
    ...malformed,
  },
  {
    title: "attack-5 an unknown extension twice",
    chain: extended(unknown(false), unknown(false)),
    ...malformed,
    differs: opensslReads,
  },
  { title: "an unknown extension", chain: extended(unknown(false)), verdict: "accepted" },
  {
    title: "an unknown critical extension of the leaf",
    chain: extended(unknown(true)),
    verdict: "extension_critical_unknown",
  },
  {
    title: "an unknown critical extension of an authority",
    chain: under([...constrained, unknown(true)]),
    verdict: "extension_critical_unknown",
  },
  {
    title: "a leaf of version 1",
    chain: withLeaf({ version: null, extensions: [] }),
    verdict: "certificate_version_unsupported",
    differs: opensslReads,
  },
  {
    title: "an issuer of version 1",
    chain: under([], { version: null }),
    verdict: "certificate_version_unsupported",
  },
  {
    title: "attack-5 version 1 with extensions",
    chain: withLeaf({ version: null }),
    verdict: "certificate_version_unsupported",
    differs: opensslReads,
  },
  {
    title: "attack-5 version 1 written out",
    chain: withLeaf({ version: 0 }),
    verdict: "certificate_version_unsupported",
    differs: opensslReads,
  },
  {
    title: "attack-5 version 2 with extensions",
    chain: withLeaf({ version: 1 }),
    verdict: "certificate_version_unsupported",
    differs: opensslReads,
  },
  {
    title: "attack-5 version 4",
    chain: withLeaf({ version: 3 }),
    verdict: "certificate_version_unsupported",
    differs: opensslReads,
  },
  {
    title: "attack-5 a serial of zero",
    chain: serial(0),
    ...malformed,
    differs: { openssl: lenient, goSpiffe: lenient },
  },
  { title: "attack-5 a negative serial", chain: serial(0x80), ...malformed, differs: opensslReads },
  { title: "attack-5 a padded serial", chain: serial(0, 1), ...malformed },
  { title: "attack-5 an empty serial", chain: serial(), ...malformed },
  {
    title: "a serial of 20 bytes",
    chain: serial(...new Uint8Array(20).fill(0x41)),
    verdict: "accepted",
  },
  {
    title: "attack-5 a serial of 21 bytes",
    chain: serial(...new Uint8Array(21).fill(0x41)),
    ...malformed,
    differs: { openssl: lenient, goSpiffe: lenient },
  },
  {
    title: "attack-5 a length with a byte too many around the signed part",
    chain: withLeaf({ rewrite: longLength }),
    ...malformed,
    differs: opensslReads,
  },
  {
    title: "attack-5 an indefinite length around the signed part",
    chain: withLeaf({ rewrite: indefinite }),
    ...malformed,
    differs: opensslReads,
  },
  {
    title: "attack-5 a length with a byte too many around the whole",
    chain: [longLength(leaf(issuer)), ...above],
    ...malformed,
    differs: { openssl: lenient, sidecar: "a caller with OpenSSL sends it as DER" },
  },
  {
    title: "attack-5 an indefinite length around the whole",
    chain: [indefinite(leaf(issuer)), ...above],
    ...malformed,
    differs: { openssl: lenient, sidecar: "a caller with OpenSSL sends it as DER" },
  },
  {
    title: "attack-5 a byte behind the whole",
    chain: [Uint8Array.of(...leaf(issuer), 0), ...above],
    ...malformed,
    differs: opensslReads,
  },
  {
    title: "attack-5 TRUE as 01 before an extension",
    chain: withLeaf({ extensions: leafExtensions(oid.basicConstraints, berCritical) }),
    ...malformed,
    differs: opensslReads,
  },
  {
    title: "attack-5 TRUE as 01 in an authority",
    chain: under([berAuthority, kit.keyUsage(0x06)]),
    ...malformed,
    differs: { openssl: lenient, sidecar: lenient },
  },
  {
    title: "attack-5 cA=FALSE written out",
    chain: withLeaf({ extensions: leafExtensions(oid.basicConstraints, defaultWritten) }),
    ...malformed,
    differs: bothRead,
  },
  {
    title: "attack-5 critical=FALSE written out",
    chain: extended(notCriticalWritten),
    ...malformed,
    differs: bothRead,
  },
  {
    title: "attack-5 a byte behind what an extension holds",
    chain: withLeaf({ extensions: leafExtensions(oid.extendedKeyUsage, trailingInside) }),
    ...malformed,
    differs: bothRead,
  },
  {
    title: "attack-5 a key usage with zeros at its end",
    chain: withLeaf({ extensions: leafExtensions(oid.keyUsage, usageTrailing) }),
    ...malformed,
    differs: bothRead,
  },
  {
    title: "attack-5 a long time in a year before 2050",
    chain: begins(derTag.generalizedTime, `${digits}Z`),
    ...malformed,
    differs: bothRead,
  },
  {
    title: "attack-5 a short time without seconds",
    chain: begins(derTag.utcTime, `${digits.slice(2, 12)}Z`),
    ...malformed,
    differs: { goSpiffe: lenient },
  },
  {
    title: "attack-5 a short time with an offset",
    chain: begins(derTag.utcTime, `${digits.slice(2)}+0000`),
    ...malformed,
  },
  {
    title: "attack-5 a long time with a fraction",
    chain: begins(derTag.generalizedTime, `${digits}.5Z`),
    ...malformed,
  },
  {
    title: "attack-5 a month that is none",
    chain: begins(derTag.utcTime, "251301000000Z"),
    ...malformed,
  },
  {
    title: "attack-5 a time that is no text",
    chain: begins(derTag.utcTime, "never"),
    ...malformed,
  },
];
