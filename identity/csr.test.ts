import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { contextTag, derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import {
  alternativeNames,
  basicConstraints,
  encodeName,
  generalName,
  keyUsage,
  newKey,
  spkiOf,
} from "#/test/kit/forge.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { createCsr, csrBytesMax, readCsr, tokenBinding } from "./csr.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { oid } from "./object-identifiers.ts";
import { parseSpiffeId } from "./spiffe-id.ts";

const id = parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a");
const key = newKey();

interface RequestOptions {
  readonly key?: KeyObject;
  readonly publicKey?: Uint8Array;
  readonly subject?: string;
  readonly version?: number;
  readonly attributes?: readonly Uint8Array[];
  readonly algorithm?: string;
  readonly hash?: string | null;
  readonly after?: Uint8Array;
}

/** A request with any fault, whose signature is right all the same. */
function request(options: RequestOptions = {}): Uint8Array {
  const signer = options.key ?? key;
  const info = encode.encodeSequence(
    encode.encodeSmallInteger(options.version ?? 0),
    encodeName(options.subject ?? ""),
    options.publicKey ?? spkiOf(signer),
    encode.encodeElement(contextTag(0, "constructed"), ...(options.attributes ?? [])),
    ...(options.after === undefined ? [] : [options.after]),
  );
  const hash = options.hash === undefined ? "sha256" : options.hash;
  return encode.encodeSequence(
    info,
    encode.encodeSequence(encode.encodeObjectIdentifier(options.algorithm ?? oid.ecdsaSha256)),
    encode.encodeBitString(sign(hash, info, signer)),
  );
}

function extensionRequest(...extensions: readonly Uint8Array[]): Uint8Array {
  return encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.extensionRequest),
    encode.encodeSet(encode.encodeSequence(...extensions)),
  );
}

test("createCsr asks for nothing, and readCsr believes its key", (t) => {
  const { publicKey, ...asked } = readCsr(createCsr(key));
  t.deepEqual(publicKey, spkiOf(key));
  t.deepEqual(asked, {
    hasSubject: false,
    names: [],
    asksForAuthority: false,
    extensionOids: [],
    binding: null,
    otherAttributes: [],
  });
});

test("createCsr asks for one identity when it is given one", (t) => {
  const { names, extensionOids } = readCsr(createCsr(key, { id }));
  t.deepEqual(names, [{ kind: "uri", value: id }]);
  t.deepEqual(extensionOids, [oid.subjectAlternativeName]);
});

test("createCsr binds its request to a token, as a challenge password that openssl reads", (t) => {
  const der = createCsr(key, { id, token: "a.b.c" });
  const { binding, names, otherAttributes } = readCsr(der);
  t.is(binding, tokenBinding("a.b.c"));
  t.deepEqual([names.length, otherAttributes], [1, []]);
  const text = execFileSync("openssl", ["req", "-inform", "DER", "-noout", "-text", "-verify"], {
    input: der,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.regex(text, new RegExp(`challengePassword\\s*:${tokenBinding("a.b.c")}\\n`));
});

test("createCsr is accepted by openssl, which reads the same", (t) => {
  const run = (...more: string[]): string =>
    execFileSync("openssl", ["req", "-inform", "DER", "-noout", ...more], {
      input: createCsr(key, { id }),
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  t.regex(run("-text", "-verify"), new RegExp(`URI:${id}\\s`));
  t.is(run("-pubkey"), createPublicKey(key).export({ type: "spki", format: "pem" }));
});

test("readCsr takes a request that openssl made", (t) => {
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const files = ["-keyout", "/dev/null", "-outform", "DER"];
  const asked = ["-subj", "/CN=x", "-addext", "subjectAltName=DNS:a,IP:10.0.0.1"];
  const der = execFileSync("openssl", ["req", "-new", ...newKey, ...files, ...asked], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const facts = readCsr(der);
  t.true(facts.hasSubject);
  t.deepEqual(
    facts.names.map(({ kind }) => kind),
    ["dns", "ip"],
  );
});

test("readCsr hands on what is asked for, as facts", (t) => {
  const names = alternativeNames([generalName(6, id), generalName(2, "a")], false);
  const attributes = [
    extensionRequest(names, basicConstraints("any"), keyUsage(0x04)),
    encode.encodeSequence(
      encode.encodeObjectIdentifier("1.2.840.113549.1.9.2"),
      encode.encodeSet(encode.encodeText(derTag.utf8String, "unstructured")),
    ),
  ];
  const facts = readCsr(request({ subject: "root", attributes }));
  t.true(facts.hasSubject);
  t.true(facts.asksForAuthority);
  t.is(facts.names.length, 2);
  t.deepEqual(facts.extensionOids, [
    oid.subjectAlternativeName,
    oid.basicConstraints,
    oid.keyUsage,
  ]);
  t.deepEqual(facts.otherAttributes, ["1.2.840.113549.1.9.2"]);
});

test("attack-12 readCsr hands out a copy of the key that it has checked", (t) => {
  const der = createCsr(key);
  const { publicKey } = readCsr(der);
  der.fill(0);
  t.deepEqual(publicKey, spkiOf(key));
});

const rsa = (bits: number): KeyObject =>
  generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
const compressed = encode.encodeSequence(
  encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.ecPublicKey),
    encode.encodeObjectIdentifier(oid.curveP256),
  ),
  encode.encodeBitString(Uint8Array.of(2, ...spkiOf(key).subarray(27, 59))),
);
const offCurve = spkiOf(key).fill(0x11, 59);
/** The rogue parameters of CVE-2020-0601 and CVE-2022-0778: a curve written out instead of named. */
const explicitCurve = encode.encodeSequence(
  encode.encodeSequence(encode.encodeObjectIdentifier(oid.ecPublicKey), encode.encodeSequence()),
  encode.encodeBitString(spkiOf(key).subarray(26)),
);
/** CVE-2022-0778 itself: over a "prime" that is none (17 * 41), its base point left to be computed. */
const oddPrime = encode.encodeSmallInteger(697);
const endlessCurve = encode.encodeSequence(
  encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.ecPublicKey),
    encode.encodeSequence(
      encode.encodeSmallInteger(1),
      encode.encodeSequence(encode.encodeObjectIdentifier("1.2.840.10045.1.1"), oddPrime),
      encode.encodeSequence(
        encode.encodeOctetString(Uint8Array.of(0, 23)),
        encode.encodeOctetString(Uint8Array.of(2, 184)),
      ),
      encode.encodeOctetString(Uint8Array.of(2, 0, 8)),
      encode.encodeSmallInteger(33),
    ),
  ),
  encode.encodeBitString(Uint8Array.of(2, 0, 8)),
);
const broken = createCsr(key);
broken[broken.length - 1]! ^= 1;
const swapped = createCsr(newKey());
swapped.set(spkiOf(key), Buffer.from(swapped).indexOf(Buffer.from(spkiOf(key).subarray(0, 26))));
const nested = (depth: number): Uint8Array =>
  depth === 0 ? encode.encodeSequence() : encode.encodeSequence(nested(depth - 1));
const challenge = (...texts: readonly string[]): Uint8Array =>
  encode.encodeSequence(
    encode.encodeObjectIdentifier(oid.challengePassword),
    encode.encodeSet(...texts.map((text) => encode.encodeText(derTag.utf8String, text))),
  );
const twice = extensionRequest(alternativeNames([generalName(6, id)]));

const denied: readonly (readonly [string, Uint8Array, IdentityErrorCode])[] = [
  ["attack-4 readCsr refuses one byte too many", new Uint8Array(csrBytesMax + 1), "csr_too_large"],
  ["attack-4 readCsr refuses a megabyte", new Uint8Array(1_048_576), "csr_too_large"],
  ["attack-4 readCsr refuses deep nesting", request({ after: nested(200) }), "csr_malformed"],
  [
    "attack-4 readCsr refuses RSA-512",
    request({ key: rsa(512), algorithm: oid.rsaSha256 }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses RSA-1024",
    request({ key: rsa(1024), algorithm: oid.rsaSha256 }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses RSA-2048",
    request({ key: rsa(2048), algorithm: oid.rsaSha256 }),
    "csr_key_unsupported",
  ],
  ["attack-4 readCsr refuses P-224", request({ key: newKey("P-224") }), "csr_key_unsupported"],
  ["attack-4 readCsr refuses P-384", request({ key: newKey("P-384") }), "csr_key_unsupported"],
  [
    "attack-4 readCsr refuses secp256k1",
    request({ key: newKey("secp256k1") }),
    "csr_key_unsupported",
  ],
  [
    "attack-5 readCsr refuses Ed25519",
    request({
      key: generateKeyPairSync("ed25519").privateKey,
      algorithm: oid.ed25519,
      hash: null,
    }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses another signature algorithm",
    request({ algorithm: "1.2.840.10045.4.1" }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses a compressed point",
    request({ publicKey: compressed }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses a curve that is written out",
    request({ publicKey: explicitCurve }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses a curve in which a square root is looked for without end",
    request({ publicKey: endlessCurve }),
    "csr_key_unsupported",
  ],
  [
    "attack-4 readCsr refuses a point off the curve",
    request({ publicKey: offCurve }),
    "csr_signature_invalid",
  ],
  ["attack-4 readCsr refuses a signature with a wrong bit", broken, "csr_signature_invalid"],
  [
    "attack-10 readCsr refuses the key of somebody else",
    request({ publicKey: spkiOf(newKey()) }),
    "csr_signature_invalid",
  ],
  ["attack-12 readCsr refuses a key that was put in afterwards", swapped, "csr_signature_invalid"],
  ["readCsr refuses nothing", new Uint8Array(), "csr_malformed"],
  ["readCsr refuses bytes after the request", Uint8Array.of(...createCsr(key), 0), "csr_malformed"],
  ["readCsr refuses another version", request({ version: 1 }), "csr_malformed"],
  [
    "readCsr refuses elements after the attributes",
    request({ after: encode.encodeBoolean(true) }),
    "csr_malformed",
  ],
  [
    "readCsr refuses two extension requests",
    request({ attributes: [twice, twice] }),
    "csr_malformed",
  ],
  [
    "attack-10 readCsr refuses a binding to two tokens",
    request({ attributes: [challenge("one", "two")] }),
    "csr_malformed",
  ],
  [
    "readCsr refuses one extension twice",
    request({ attributes: [extensionRequest(keyUsage(0x80), keyUsage(0x80))] }),
    "csr_malformed",
  ],
  [
    "attack-6 readCsr refuses NUL in a name",
    request({ attributes: [extensionRequest(alternativeNames([generalName(6, `${id}\0`)]))] }),
    "csr_malformed",
  ],
];

for (const [title, der, code] of denied) {
  test(title, (t) => {
    const error = t.throws(() => readCsr(der), { instanceOf: IdentityError });
    t.is(error.code, code, error.message);
  });
}

test("attack-4 readCsr refuses each of them in less than 5 ms", (t) => {
  for (const [title, der] of denied) {
    const costs = Array.from({ length: 5 }, () => {
      const began = performance.now();
      t.throws(() => readCsr(der));
      return performance.now() - began;
    });
    // The least of five: what else runs on the machine is not its cost.
    t.true(Math.min(...costs) < 5, `${title}: ${Math.min(...costs)} ms`);
  }
});

test("property: a request with a changed byte gives facts or an IdentityError", (t) => {
  const good = createCsr(key, { id });
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const der = Uint8Array.from(good);
      der[at]! ^= mask;
      // Nothing is left outside of what was signed, but ECDSA's (r, s) could be made twice.
      const error = t.throws(() => readCsr(der), { instanceOf: IdentityError });
      t.truthy(error);
    }),
    fuzzOptions(t, 300),
  );
});

test("property: any bytes give facts or an IdentityError", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (der) => {
      t.throws(() => readCsr(der), { instanceOf: IdentityError });
    }),
    fuzzOptions(t, 500),
  );
});
