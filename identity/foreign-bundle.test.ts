import { generateKeyPairSync } from "node:crypto";
import "reflect-metadata";
import test from "ava";
import * as x509 from "@peculiar/x509";
import { webcrypto } from "node:crypto";
import { createAuthority } from "#/test/kit/authority.ts";
import { writeBundleDocument } from "./bundle-document.ts";
import { authoritiesMax, documentCharactersMax, readForeignBundle } from "./foreign-bundle.ts";
import { parseTrustDomain } from "./spiffe-id.ts";

const partner = parseTrustDomain("partner.mesh");
const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
const tokenKey = { ...publicKey.export({ format: "jwk" }), use: "jwt-svid", kid: "day-1" };
const base64 = (der: Uint8Array): string => Buffer.from(der).toString("base64");

/** A root with names of its own, as SPIRE makes them. */
async function rootNamed(uris: readonly string[], isAuthority = true): Promise<Uint8Array> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "41",
    name: "CN=root",
    keys,
    notBefore: new Date(Date.now() - 1000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      ...(uris.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              uris.map((value) => ({ type: "url" as const, value })),
            ),
          ]),
    ],
  });
  return new Uint8Array(root.rawData);
}

const entry = (root: Uint8Array, more: object = {}): object => ({
  kty: "EC",
  use: "x509-svid",
  x5c: [base64(root)],
  ...more,
});
const documentOf = (keys: readonly object[], more: object = {}): string =>
  JSON.stringify({ keys, spiffe_sequence: 7, spiffe_refresh_hint: 300, ...more });

test("readForeignBundle reads what writeBundleDocument writes", async (t) => {
  const { root } = await createAuthority();
  const jwtAuthorities = [{ keyId: "k", publicKey: spki }];
  const since = Date.now();
  const text = writeBundleDocument({ roots: [root], jwtAuthorities, since, refreshHintS: 60 });
  t.deepEqual(readForeignBundle(text, partner), {
    roots: [root],
    jwtAuthorities,
    sequence: Math.floor(since / 1000),
    refreshHintS: 60,
  });
});

test("readForeignBundle passes over what a newer specification may add", async (t) => {
  const { root } = await createAuthority();
  const others = [
    { kty: "OKP", use: "x509-svid", x5c: 7 },
    { kty: "EC", use: "wit-svid", kid: 7 },
    { kty: "EC" },
    { kty: "RSA", use: "jwt-svid", kid: "rsa" },
  ];
  const read = readForeignBundle(documentOf([entry(root), tokenKey, ...others]), partner);
  t.deepEqual(read.roots, [root]);
  t.deepEqual(read.jwtAuthorities, [{ keyId: "day-1", publicKey: spki }]);
  t.deepEqual(readForeignBundle('{"keys":[]}', partner), {
    roots: [],
    jwtAuthorities: [],
    sequence: null,
    refreshHintS: null,
  });
});

test("readForeignBundle takes a root that names the trust domain, and refuses one of another", async (t) => {
  const named = await rootNamed(["spiffe://partner.mesh"]);
  t.deepEqual(readForeignBundle(documentOf([entry(named)]), partner).roots, [named]);
  const bad = [
    ["spiffe://cluster.local"],
    ["spiffe://partner.mesh.evil"],
    ["spiffe://partner.mesh", "spiffe://cluster.local"],
    ["spiffe://partner.mesh/ns/a/sa/a"],
  ];
  for (const uris of bad) {
    const text = documentOf([entry(named), entry(await rootNamed(uris))]);
    t.throws(() => readForeignBundle(text, partner), { code: "bundle_trust_domain_foreign" });
  }
});

test("readForeignBundle refuses a root that is no authority", async (t) => {
  const text = documentOf([entry(await rootNamed([], false))]);
  t.throws(() => readForeignBundle(text, partner), { code: "bundle_root_invalid" });
});

test("readForeignBundle refuses what is malformed, whole", async (t) => {
  const { root } = await createAuthority();
  const good = entry(root);
  const bad: readonly string[] = [
    "",
    "[]",
    "null",
    "{}",
    '{"keys":{}}',
    documentOf([7 as unknown as object]),
    documentOf([entry(root, { x5c: [] })]),
    documentOf([entry(root, { x5c: [base64(root), base64(root)] })]),
    documentOf([entry(root, { x5c: [`${base64(root)}!`] })]),
    documentOf([entry(root, { x5c: ["AAAA"] })]),
    documentOf([entry(root, { x5c: undefined })]),
    documentOf([good, { ...tokenKey, kid: "" }]),
    documentOf([good, tokenKey, tokenKey]),
    documentOf([good, { ...tokenKey, x: "AA" }]),
    documentOf([good], { spiffe_sequence: -1 }),
    documentOf([good], { spiffe_sequence: "7" }),
    documentOf([good], { spiffe_sequence: 1e300 }),
    documentOf([good], { spiffe_refresh_hint: 0.5 }),
    documentOf(Array.from({ length: authoritiesMax + 1 }, () => good)),
    `{"keys":[]}${" ".repeat(documentCharactersMax)}`,
  ];
  for (const text of bad) {
    const error = t.throws(() => readForeignBundle(text, partner), undefined, text.slice(0, 120));
    t.is(error?.name, "IdentityError", text.slice(0, 120));
  }
});
