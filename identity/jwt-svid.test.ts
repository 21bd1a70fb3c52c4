// Tokens as another library writes them, sound and with one fault each.
import { createHmac, generateKeyPairSync, hash, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { SignJWT, createLocalJWKSet, jwtVerify } from "jose";
import type { JWTHeaderParameters, JWTPayload } from "jose";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { jwksOf, jwtCharactersMax, verifyJwtSvid } from "./jwt-svid.ts";
import type { JwtAuthority, JwtFacts } from "./jwt-svid.ts";
import { parseTrustDomain } from "./spiffe-id.ts";

const trustDomain = parseTrustDomain("cluster.local");
const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const now = Date.UTC(2026, 0, 1);
const nowS = now / 1000;
const audience = "app-b";

function makeKey(): JwtAuthority & { readonly privateKey: KeyObject } {
  const { privateKey, publicKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = key.export({ type: "spki", format: "der" });
  return { keyId: hash("sha256", publicKey, "base64url"), publicKey, privateKey };
}
const own = makeKey();
const other = makeKey();
const sound: JWTPayload = { sub: id, aud: [audience, "third"], iat: nowS, exp: nowS + 300 };

function token(
  claims: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
  key: KeyObject = own.privateKey,
): Promise<string> {
  const protectedHeader = { alg: "ES256", kid: own.keyId, typ: "JWT", ...header };
  return new SignJWT({ ...sound, ...claims }).setProtectedHeader(protectedHeader).sign(key);
}

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString("base64url");
/** Signed by hand: what no library writes. */
function raw(header: string, payload: string): string {
  const signature = sign("sha256", Buffer.from(`${header}.${payload}`), {
    key: own.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${header}.${payload}.${signature.toString("base64url")}`;
}
const goodHeader = encode({ alg: "ES256", kid: own.keyId });

const verify = (text: string, authorities: readonly JwtAuthority[] = [other, own]): JwtFacts =>
  verifyJwtSvid(text, { authorities, trustDomain, audience, now });

test("verifyJwtSvid takes what jose signed, and gives its claims", async (t) => {
  const { id: found, expiresAtS, claims } = verify(await token({ jti: "x", more: { a: [1] } }));
  t.is(String(found), id);
  t.is(expiresAtS, nowS + 300);
  t.deepEqual(claims, { ...sound, jti: "x", more: { a: [1] } });
});

test("verifyJwtSvid takes one audience as a text, no type, and the type JOSE", async (t) => {
  t.notThrows(() => verify(raw(goodHeader, encode({ ...sound, aud: audience }))));
  t.notThrows(() =>
    verify(raw(encode({ alg: "ES256", kid: own.keyId, typ: "JOSE" }), encode(sound))),
  );
  await t.notThrowsAsync(async () => verify(await token({ nbf: nowS + 9, iat: nowS + 9 })));
});

test("jwksOf writes what jose verifies with", async (t) => {
  const keys = createLocalJWKSet(JSON.parse(jwksOf([other, own])) as never);
  const { payload } = await jwtVerify(await token(), keys, {
    audience,
    currentDate: new Date(now),
  });
  t.is(payload.sub, id);
  t.false(jwksOf([own]).includes('"d"'));
});

type Row = readonly [what: string, code: IdentityErrorCode, make: () => Promise<string> | string];
const signed = async (): Promise<readonly string[]> => (await token()).split(".");
const refused: readonly Row[] = [
  ["nothing", "jwt_malformed", () => ""],
  ["two parts", "jwt_malformed", async () => (await signed()).slice(0, 2).join(".")],
  ["four parts", "jwt_malformed", async () => `${await token()}.`],
  ["a header that is no base64url", "jwt_malformed", async () => `!${await token()}`],
  ["a header with padding", "jwt_malformed", async () => (await token()).replace(".", "=.")],
  ["a space behind it", "jwt_malformed", async () => `${await token()} `],
  ["a line break behind it", "jwt_malformed", async () => `${await token()}\n`],
  ["a header that is no object", "jwt_malformed", () => raw(encode(["ES256"]), encode(sound))],
  ["claims that are no object", "jwt_malformed", () => raw(goodHeader, encode("claims"))],
  ["claims that are null", "jwt_malformed", () => raw(goodHeader, encode(null))],
  [
    "claims that are no text",
    "jwt_malformed",
    () => raw(goodHeader, Buffer.from([0x22, 0xff, 0x22]).toString("base64url")),
  ],
  ["too many characters", "jwt_malformed", () => "a".repeat(jwtCharactersMax + 1)],
  [
    "no signature",
    "jwt_signature_invalid",
    async () => `${(await signed()).slice(0, 2).join(".")}.`,
  ],
  [
    "the algorithm none",
    "jwt_header_invalid",
    () => `${encode({ alg: "none", kid: own.keyId })}.${encode(sound)}.`,
  ],
  [
    "an HMAC with the public key",
    "jwt_header_invalid",
    () => {
      const parts = `${encode({ alg: "HS256", kid: own.keyId })}.${encode(sound)}`;
      const mac = createHmac("sha256", own.publicKey).update(parts).digest("base64url");
      return `${parts}.${mac}`;
    },
  ],
  [
    "an algorithm that is none of ours",
    "jwt_header_invalid",
    () => raw(encode({ alg: "ES384", kid: own.keyId }), encode(sound)),
  ],
  ["no algorithm", "jwt_header_invalid", () => raw(encode({ kid: own.keyId }), encode(sound))],
  ["another type", "jwt_header_invalid", () => token({}, { typ: "at+jwt" })],
  ["a key of its own in the header", "jwt_header_invalid", () => token({}, { jwk: { kty: "EC" } })],
  ["a place to fetch keys from", "jwt_header_invalid", () => token({}, { jku: "https://a.test" })],
  ["certificates in the header", "jwt_header_invalid", () => token({}, { x5c: ["AA=="] })],
  [
    "a critical field",
    "jwt_header_invalid",
    () => raw(encode({ alg: "ES256", kid: own.keyId, crit: ["a"], a: 1 }), encode(sound)),
  ],
  ["no name of a key", "jwt_key_unknown", () => raw(encode({ alg: "ES256" }), encode(sound))],
  ["a key that nobody knows", "jwt_key_unknown", () => token({}, { kid: "x" })],
  [
    "another key under a known name",
    "jwt_signature_invalid",
    () => token({}, {}, other.privateKey),
  ],
  [
    "a signature in DER",
    "jwt_signature_invalid",
    () => {
      const parts = `${goodHeader}.${encode(sound)}`;
      return `${parts}.${sign("sha256", Buffer.from(parts), own.privateKey).toString("base64url")}`;
    },
  ],
  [
    "claims that were changed",
    "jwt_signature_invalid",
    async () => (await signed()).with(1, encode({ ...sound, exp: nowS + 9999 })).join("."),
  ],
  ["another audience", "jwt_audience_wrong", () => token({ aud: ["third"] })],
  ["a longer audience", "jwt_audience_wrong", () => token({ aud: `${audience}-2` })],
  [
    "no audience",
    "jwt_audience_wrong",
    () => raw(goodHeader, encode({ ...sound, aud: undefined })),
  ],
  [
    "an audience that is an object",
    "jwt_audience_wrong",
    () => raw(goodHeader, encode({ ...sound, aud: { [audience]: 1 } })),
  ],
  ["its end now", "jwt_expired", () => token({ exp: nowS })],
  ["its end long ago", "jwt_expired", () => token({ exp: 1 })],
  ["no end", "jwt_claims_invalid", () => raw(goodHeader, encode({ ...sound, exp: undefined }))],
  [
    "an end that is a text",
    "jwt_claims_invalid",
    () => raw(goodHeader, encode({ ...sound, exp: `${nowS + 300}` })),
  ],
  [
    "an end beyond all numbers",
    "jwt_claims_invalid",
    () =>
      raw(
        goodHeader,
        encode(sound).slice(0, 0) +
          Buffer.from(`{"sub":"${id}","aud":"${audience}","exp":1e999}`).toString("base64url"),
      ),
  ],
  ["a beginning to come", "jwt_claims_invalid", () => token({ nbf: nowS + 11 })],
  ["a making to come", "jwt_claims_invalid", () => token({ iat: nowS + 11 })],
  ["no name", "jwt_claims_invalid", () => raw(goodHeader, encode({ ...sound, sub: undefined }))],
  [
    "a name that is a list",
    "jwt_claims_invalid",
    () => raw(goodHeader, encode({ ...sound, sub: [id] })),
  ],
  [
    "a name of another trust domain",
    "jwt_claims_invalid",
    () => token({ sub: "spiffe://other.test/a" }),
  ],
  ["a name that is no SPIFFE ID", "id_invalid", () => token({ sub: "app-a" })],
];
for (const [what, code, make] of refused) {
  test(`verifyJwtSvid refuses ${what}`, async (t) => {
    const text = await make();
    const error = t.throws(() => verify(text), { instanceOf: IdentityError });
    t.is(error.code, code);
  });
}

test("verifyJwtSvid takes nothing when the bundle has no key", async (t) => {
  const text = await token();
  t.throws(() => verify(text, []), { code: "jwt_key_unknown" });
});

test("verifyJwtSvid property: throws nothing but its own error, and no bit may change", async (t) => {
  const text = await token();
  const bits = fc.nat({ max: text.length * 7 - 1 });
  fc.assert(
    fc.property(bits, fc.string(), (bit, noise) => {
      const bytes = Buffer.from(text, "latin1");
      bytes[Math.floor(bit / 7)]! ^= 1 << (bit % 7);
      for (const each of [bytes.toString("latin1"), noise, `${noise}.${noise}.${noise}`]) {
        t.throws(() => verify(each), { instanceOf: IdentityError });
      }
    }),
    fuzzOptions(t, 200),
  );
});
