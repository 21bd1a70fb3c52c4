import { createHash, X509Certificate } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { authorityExtensions, makeAuthority } from "#/test/kit/forge.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { fingerprint, parsePem, parsePins, toPem } from "./bundle.ts";
import { IdentityError } from "./identity-error.ts";

const ours = makeAuthority("ours", null, authorityExtensions(2)).der;
const theirs = makeAuthority("theirs", null, authorityExtensions(2)).der;

test("fingerprint is the SHA-256 of the DER, as others print it", (t) => {
  t.is(fingerprint(ours), createHash("sha256").update(ours).digest("hex"));
  const printed = new X509Certificate(ours).fingerprint256.replaceAll(":", "").toLowerCase();
  t.is(fingerprint(ours), printed);
});

test("parsePem reads every block and passes over the text between", (t) => {
  const text = `# roots\n${toPem(ours)}\nsubject=theirs\r\n${toPem(theirs).replaceAll("\n", "\r\n")}`;
  t.deepEqual(parsePem(text), [ours, theirs]);
});

const broken: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["no block", "certificate"],
  ["a key", toPem(ours).replaceAll("CERTIFICATE", "PRIVATE KEY")],
  ["a block that is cut off", toPem(ours).slice(0, 200)],
  ["a good block before one that is cut off", toPem(ours) + toPem(theirs).slice(0, 200)],
  ["a block that is no base64", toPem(ours).replace("MII", "M!I")],
  ["a block with a bad length of base64", toPem(ours).replace("MII", "MIIx")],
  ["too many blocks", toPem(Uint8Array.of(1)).repeat(33)],
  ["too much", toPem(ours) + " ".repeat(131_072)],
];
for (const [what, text] of broken) {
  test(`parsePem refuses ${what}`, (t) => {
    t.is(t.throws(() => parsePem(text), { instanceOf: IdentityError }).code, "pem_invalid");
  });
}

test("parsePins reads a list and refuses what is no fingerprint", (t) => {
  const pin = fingerprint(ours);
  t.deepEqual(parsePins(`${pin.toUpperCase()}, ${fingerprint(theirs)}`), [
    pin,
    fingerprint(theirs),
  ]);
  for (const list of ["", ",", pin.slice(1), `${pin},`, `sha256:${pin}`, `${pin.slice(1)}g`]) {
    t.throws(() => parsePins(list), { code: "pins_unmatched" });
  }
});

test("property: PEM round-trips, and any text gives bytes or an IdentityError", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), fc.string(), (der, text) => {
      t.deepEqual(parsePem(toPem(der)), [der]);
      const pem = toPem(der);
      const cut = pem.slice(0, text.length) + text + pem.slice(text.length);
      try {
        parsePem(cut);
      } catch (thrown) {
        t.true(thrown instanceof IdentityError);
      }
    }),
    fuzzOptions(t, 500),
  );
});
