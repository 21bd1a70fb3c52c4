import { X509Certificate } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { contextTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "#/test/kit/forge.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { readCertificate } from "./certificate.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { oid } from "./object-identifiers.ts";
import { readLeaf } from "./svid.ts";

const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const key = kit.newKey();
const issuer = { name: "issuer", key: kit.newKey() };
const [basic, usage, extended, names] = kit.leafExtensions(id) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

function leaf(options: Partial<kit.ForgeOptions> = {}): Uint8Array {
  const extensions = [basic, usage, extended, names];
  return kit.forge({ subject: "", key, issuer, extensions, ...options });
}

const withNames = (...list: readonly Uint8Array[]): Uint8Array =>
  leaf({ extensions: [basic, usage, extended, kit.alternativeNames(list)] });
const uri = (text: string | Uint8Array): Uint8Array => kit.generalName(6, text);

test("readLeaf says whose a leaf is, and until when", (t) => {
  const der = leaf({ serial: Uint8Array.of(0, 0xab, 0x01) });
  t.deepEqual(
    { ...readLeaf(der) },
    {
      id: id as never,
      notBefore: kit.forgeNow - 3_600_000,
      notAfter: kit.forgeNow + 3_600_000,
      serial: "ab01",
      publicKey: kit.spkiOf(key),
    },
  );
  t.is(new X509Certificate(der).serialNumber.toLowerCase(), "ab01");
});

const otherName = encode.encodeElement(
  contextTag(0, "constructed"),
  encode.encodeObjectIdentifier("1.3.6.1.4.1.311.20.2.3"),
  encode.encodeElement(contextTag(0, "constructed"), encode.encodeText(0x0c, id)),
);
const all = [basic, usage, extended, names];
const without = (absent: Uint8Array): Uint8Array =>
  leaf({ extensions: all.filter((one) => one !== absent) });
const replaced = (old: Uint8Array, by: Uint8Array): Uint8Array =>
  leaf({ extensions: all.map((one) => (one === old ? by : one)) });
const purposes = (...list: readonly string[]): Uint8Array =>
  replaced(extended, kit.extendedKeyUsage(...list));
const defaultWritten = kit.extension(
  oid.basicConstraints,
  true,
  encode.encodeSequence(encode.encodeBoolean(false)),
);

const badSubject = leaf({ subject: "subject" });
badSubject[Buffer.from(badSubject).indexOf("subject")] = 0x80;
const padded = kit.extension(oid.keyUsage, true, encode.encodeBitString(Uint8Array.of(0x80)));

const denied: readonly (readonly [string, Uint8Array, IdentityErrorCode])[] = [
  ["attack-6 two URI names", withNames(uri(id), uri(id)), "leaf_names_invalid"],
  ["attack-6 a second identity", withNames(uri(id), uri(`${id}b`)), "leaf_names_invalid"],
  [
    "attack-6 a DNS name before the URI",
    withNames(kit.generalName(2, "a"), uri(id)),
    "leaf_names_invalid",
  ],
  [
    "attack-6 a DNS name that looks like one",
    withNames(kit.generalName(2, `x, URI:${id}`)),
    "leaf_names_invalid",
  ],
  [
    "attack-6 an e-mail name that looks like one",
    withNames(kit.generalName(1, id)),
    "leaf_names_invalid",
  ],
  [
    "attack-6 an address",
    withNames(kit.generalName(7, Uint8Array.of(10, 0, 0, 1))),
    "leaf_names_invalid",
  ],
  ["attack-6 an otherName with the identity", withNames(otherName), "leaf_names_invalid"],
  ["attack-6 NUL inside the URI", withNames(uri(`${id}\0.evil`)), "certificate_malformed"],
  ["attack-6 NUL at the end of the URI", withNames(uri(`${id}\0`)), "certificate_malformed"],
  ["attack-6 a line break in the URI", withNames(uri(`${id}\nURI:x`)), "certificate_malformed"],
  ["attack-6 UTF-8 in the URI", withNames(uri(`${id}\u00e4`)), "certificate_malformed"],
  [
    "attack-6 a second name behind a comma",
    withNames(uri(`${id}, URI:${id}`)),
    "leaf_names_invalid",
  ],
  ["attack-6 a name of unknown kind", withNames(kit.generalName(9, id)), "certificate_malformed"],
  [
    "attack-6 a URI that is no SPIFFE ID",
    withNames(uri("https://cluster.local/ns/a")),
    "leaf_names_invalid",
  ],
  [
    "attack-7 an upper-case trust domain",
    withNames(uri(id.replace("c", "C"))),
    "leaf_names_invalid",
  ],
  ["attack-7 an escaped path", withNames(uri(id.replace("app", "%61pp"))), "leaf_names_invalid"],
  ["a trust domain without a path", withNames(uri("spiffe://cluster.local")), "leaf_names_invalid"],
  ["no names", without(names), "leaf_names_invalid"],
  ["an empty list of names", withNames(), "certificate_malformed"],
  [
    "names that are not critical under an empty subject",
    replaced(names, kit.alternativeNames([uri(id)], false)),
    "leaf_names_invalid",
  ],
  ["attack-16 an authority", replaced(basic, kit.basicConstraints("any")), "leaf_is_authority"],
  ["attack-5 no basicConstraints", without(basic), "leaf_is_authority"],
  ["attack-5 cA=false written out", replaced(basic, defaultWritten), "certificate_malformed"],
  ["attack-5 a subject that is no text", badSubject, "certificate_malformed"],
  [
    "attack-5 key usage with bits that do not count",
    replaced(usage, padded),
    "certificate_malformed",
  ],
  ["attack-16 no key usage", without(usage), "leaf_key_usage_invalid"],
  [
    "attack-16 key usage not critical",
    replaced(usage, kit.keyUsage(0x80, false)),
    "leaf_key_usage_invalid",
  ],
  ["attack-16 no digitalSignature", replaced(usage, kit.keyUsage(0x20)), "leaf_key_usage_invalid"],
  ["attack-16 keyCertSign", replaced(usage, kit.keyUsage(0x84)), "leaf_key_usage_invalid"],
  ["attack-16 cRLSign", replaced(usage, kit.keyUsage(0x82)), "leaf_key_usage_invalid"],
  ["attack-16 no extended key usage", without(extended), "leaf_extended_key_usage_invalid"],
  ["attack-16 a client only", purposes(oid.clientAuth), "leaf_extended_key_usage_invalid"],
  ["attack-16 a server only", purposes(oid.serverAuth), "leaf_extended_key_usage_invalid"],
  ["attack-16 any purpose", purposes("2.5.29.37.0"), "leaf_extended_key_usage_invalid"],
  [
    "a critical extension that is unknown",
    leaf({ extensions: [...all, kit.extension("1.2.3.4", true, encode.encodeSequence())] }),
    "extension_critical_unknown",
  ],
  ["an extension twice", leaf({ extensions: [...all, names] }), "certificate_malformed"],
  [
    "attack-5 another algorithm outside",
    leaf({ outerAlgorithm: oid.ecdsaSha384 }),
    "certificate_malformed",
  ],
  ["attack-5 bytes after the certificate", Uint8Array.of(...leaf(), 0), "certificate_malformed"],
  ["attack-5 version 1", leaf({ version: 0 }), "certificate_version_unsupported"],
  ["attack-5 version 4", leaf({ version: 3 }), "certificate_version_unsupported"],
  ["attack-5 a serial of zero", leaf({ serial: Uint8Array.of(0) }), "certificate_malformed"],
  ["attack-5 a negative serial", leaf({ serial: Uint8Array.of(0x80) }), "certificate_malformed"],
  ["attack-5 a padded serial", leaf({ serial: Uint8Array.of(0, 1) }), "certificate_malformed"],
  [
    "attack-5 a serial of 21 bytes",
    leaf({ serial: new Uint8Array(21).fill(1) }),
    "certificate_malformed",
  ],
  [
    "a life that ends before it begins",
    leaf({ notBefore: kit.forgeNow, notAfter: kit.forgeNow - 1000 }),
    "certificate_malformed",
  ],
  ["a key on P-384", leaf({ key: kit.newKey("P-384") }), "leaf_key_unsupported"],
  ["nothing", new Uint8Array(), "certificate_malformed"],
  ["too much", new Uint8Array(20_000), "certificate_malformed"],
];

for (const [what, der, code] of denied) {
  const title = what.startsWith("attack-")
    ? what.replace(" ", " readLeaf refuses ")
    : `readLeaf refuses ${what}`;
  test(title, (t) => {
    const error = t.throws(() => readLeaf(der), { instanceOf: IdentityError });
    t.is(error.code, code, error.message);
  });
}

test("attack-5 readLeaf refuses lengths that are not minimal, wherever they are", (t) => {
  const der = leaf();
  for (let at = 0; at < der.length - 1; at += 1) {
    const length = der[at + 1]!;
    if (length >= 0x80 || length === 0) continue;
    const longer = Uint8Array.of(...der.subarray(0, at + 1), 0x81, ...der.subarray(at + 1));
    t.throws(() => readLeaf(longer), { instanceOf: IdentityError });
  }
});

test("property: a leaf with changed bytes gives facts or an IdentityError", (t) => {
  const good = leaf();
  const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const der = Uint8Array.from(good);
      for (const [at, byte] of changes) der[at] = byte;
      try {
        const facts = readLeaf(der);
        // What we take, OpenSSL reads the same way.
        const judge = new X509Certificate(der);
        t.is(judge.serialNumber.toLowerCase().padStart(facts.serial.length, "0"), facts.serial);
        t.is(judge.validToDate.getTime(), facts.notAfter);
        t.is(judge.validFromDate.getTime(), facts.notBefore);
        t.is(judge.subjectAltName, `URI:${facts.id}`);
        t.false(judge.ca);
      } catch (thrown) {
        if (!(thrown instanceof IdentityError)) throw thrown;
      }
    }),
    fuzzOptions(t, 1500),
  );
  t.pass();
});

test("property: any bytes give a certificate or an IdentityError", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      t.throws(() => readCertificate(bytes), { instanceOf: IdentityError });
      const good = leaf();
      const cut = good.subarray(0, bytes.length);
      t.throws(() => readCertificate(cut), { instanceOf: IdentityError });
    }),
    fuzzOptions(t, 200),
  );
});
