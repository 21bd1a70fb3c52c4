import { createHash, createHmac, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { SignJWT } from "jose";
import type { JWTHeaderParameters, JWTPayload } from "jose";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { createJwksReviewer, tokenCharactersMax, tokensKnownMax } from "./attest.ts";
import { CaError } from "./ca-error.ts";
import type { CaErrorCode } from "./ca-error.ts";
import { keySetLimits } from "./key-set.ts";

const issuer = "https://issuer.test";
const startMs = Date.UTC(2030, 0, 1);
const startS = startMs / 1000;
const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
const others = generateKeyPairSync("ec", { namedCurve: "P-256" });

function jwk(key: KeyObject, kid: string, alg = "ES256"): object {
  return { ...key.export({ format: "jwk" }), kid, alg, use: "sig" };
}

const good = {
  iss: issuer,
  aud: ["signet-ca"],
  sub: "system:serviceaccount:app-a:app-a",
  iat: startS,
  nbf: startS,
  exp: startS + 600,
  jti: "one",
  "kubernetes.io": {
    namespace: "app-a",
    serviceaccount: { name: "app-a", uid: "u1" },
    pod: { name: "app-a-1", uid: "pod-uid" },
  },
};

function sign(
  claims: JWTPayload = good,
  header: Partial<JWTHeaderParameters> = {},
  key: KeyObject = keys.privateKey,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "k1", ...header }).sign(key);
}

function setUp(jwks: readonly object[] = [jwk(keys.publicKey, "k1")]) {
  const clock = new ManualClock(startMs);
  const state = { jwks: JSON.stringify({ keys: jwks }), reads: 0 };
  const reviewer = createJwksReviewer({
    issuer,
    readJwks() {
      state.reads += 1;
      return Promise.resolve(state.jwks);
    },
    clock,
  });
  return { clock, state, reviewer };
}

test("review reads the claims of a bound token", async (t) => {
  const { reviewer } = setUp();
  t.deepEqual(await reviewer.review(await sign()), {
    namespace: "app-a",
    serviceAccount: "app-a",
    podName: "app-a-1",
    podUid: "pod-uid",
    tokenHash: createHash("sha256").update("one").digest("hex"),
  });
});

test("review takes the algorithms that clusters sign with", async (t) => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const { reviewer } = setUp([jwk(rsa.publicKey, "r", "RS256"), jwk(p384.publicKey, "e", "ES384")]);
  await t.notThrowsAsync(
    reviewer.review(await sign(good, { alg: "RS256", kid: "r" }, rsa.privateKey)),
  );
  await t.notThrowsAsync(
    reviewer.review(await sign(good, { alg: "ES384", kid: "e" }, p384.privateKey)),
  );
});

test("review finds a key that came since, and refuses one that was withdrawn", async (t) => {
  const { clock, state, reviewer } = setUp();
  await reviewer.review(await sign());
  const token = await sign(good, { kid: "k2" }, others.privateKey);
  state.jwks = JSON.stringify({ keys: [jwk(others.publicKey, "k2")] });
  await t.throwsAsync(reviewer.review(token), { code: "token_invalid" });
  clock.jump(keySetLimits.rereadMs);
  await t.notThrowsAsync(reviewer.review(token));
  await t.throwsAsync(reviewer.review(await sign()), { code: "token_invalid" });
});

test("attack-55 review takes listed algorithms alone, also for a key that could do others", async (t) => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { reviewer } = setUp([{ ...rsa.publicKey.export({ format: "jwk" }), kid: "r" }]);
  const signAs = (alg: string) => sign(good, { alg, kid: "r" }, rsa.privateKey);
  await t.notThrowsAsync(reviewer.review(await signAs("RS256")));
  await t.throwsAsync(reviewer.review(await signAs("PS256")), { code: "token_invalid" });
});

test("attack-4 review looks at the size of a token before anything else", async (t) => {
  const { state, reviewer } = setUp();
  const token = "x".repeat(tokenCharactersMax + 1);
  await t.throwsAsync(reviewer.review(token), { message: /16385 characters/ });
  t.is(state.reads, 0);
});

test("review does not read the keys for each token that names an unknown one", async (t) => {
  const { state, reviewer } = setUp();
  for (let count = 0; count < 20; count += 1) {
    const token = await sign(good, { kid: `unknown-${count}` });
    await t.throwsAsync(reviewer.review(token), { code: "token_invalid" });
  }
  t.is(state.reads, 1);
});

test("attack-9 review refuses a token that it has taken before, once it ends", async (t) => {
  const { clock, reviewer } = setUp();
  const token = await sign();
  await reviewer.review(token);
  clock.jump(599_999);
  await t.notThrowsAsync(reviewer.review(token));
  clock.jump(1);
  await t.throwsAsync(reviewer.review(token), { code: "token_expired" });
});

test("review refuses a token that it has taken before, once its key is withdrawn", async (t) => {
  const { clock, state, reviewer } = setUp();
  const token = await sign();
  await reviewer.review(token);
  state.jwks = JSON.stringify({ keys: [jwk(others.publicKey, "k1")] });
  clock.jump(keySetLimits.freshMs);
  await t.throwsAsync(reviewer.review(token), { code: "token_invalid" });
});

test("review tells tokens apart that differ in their signature alone", async (t) => {
  const { reviewer } = setUp();
  const token = await sign();
  await reviewer.review(token);
  const [head, claims] = token.split(".");
  const forged = (await sign(good, {}, others.privateKey)).split(".")[2];
  await t.throwsAsync(reviewer.review(`${head}.${claims}.${forged}`), { code: "token_invalid" });
});

test("review forgets the oldest tokens past its limit, and takes them all the same", async (t) => {
  const { reviewer } = setUp();
  const first = await sign();
  await reviewer.review(first);
  for (let count = 0; count <= tokensKnownMax; count += 256) {
    const tokens = await Promise.all(
      Array.from({ length: 256 }, (_, index) => sign({ ...good, jti: `${count + index}` })),
    );
    await Promise.all(tokens.map((token) => reviewer.review(token)));
  }
  await t.notThrowsAsync(reviewer.review(first));
});

const encoded = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString("base64url");
const publicPem = keys.publicKey.export({ type: "spki", format: "pem" });

/** HS256 with the public key as the secret: what confuses a verifier that believes the header. */
function hmacToken(): string {
  const body = `${encoded({ alg: "HS256", kid: "k1" })}.${encoded(good)}`;
  return `${body}.${createHmac("sha256", publicPem).update(body).digest("base64url")}`;
}

const bound = good["kubernetes.io"];
const claim = (change: JWTPayload) => (): Promise<string> => sign({ ...good, ...change });
const without = (name: keyof typeof good) => (): Promise<string> => {
  const { [name]: _left, ...rest } = good;
  return sign(rest);
};
const denied: readonly (readonly [string, () => Promise<string>, CaErrorCode])[] = [
  ["an empty token", async () => "", "token_invalid"],
  ["what is no token", async () => "a.b.c", "token_invalid"],
  [
    "attack-55 alg none",
    async () => `${encoded({ alg: "none" })}.${encoded(good)}.`,
    "token_invalid",
  ],
  [
    "attack-55 alg None",
    async () => `${encoded({ alg: "None", kid: "k1" })}.${encoded(good)}.`,
    "token_invalid",
  ],
  ["attack-55 HMAC with the public key", async () => hmacToken(), "token_invalid"],
  [
    "attack-55 a token of another key under our key's name",
    () => sign(good, {}, others.privateKey),
    "token_invalid",
  ],
  [
    "attack-55 a token that brings its own key",
    () => sign(good, { jwk: others.publicKey.export({ format: "jwk" }) }, others.privateKey),
    "token_invalid",
  ],
  [
    "attack-14 a token that says where its keys are",
    () => sign(good, { kid: "k9", jku: "http://169.254.169.254/keys" }, others.privateKey),
    "token_invalid",
  ],
  [
    "attack-55 claims that were changed",
    async () => {
      const [head, , signature] = (await sign()).split(".");
      return `${head}.${encoded({ ...good, sub: "system:serviceaccount:a:b" })}.${signature}`;
    },
    "token_invalid",
  ],
  [
    "attack-55 an unknown critical header",
    () => {
      const header = { alg: "ES256", kid: "k1", crit: ["x"], x: true };
      return new SignJWT(good)
        .setProtectedHeader(header)
        .sign(keys.privateKey, { crit: { x: true } });
    },
    "token_invalid",
  ],
  ["attack-9 another issuer", claim({ iss: "https://other.test" }), "token_issuer_wrong"],
  ["attack-9 an issuer with a slash more", claim({ iss: `${issuer}/` }), "token_issuer_wrong"],
  ["attack-9 no issuer", without("iss"), "token_issuer_wrong"],
  ["attack-9 another audience", claim({ aud: ["kubernetes"] }), "token_audience_wrong"],
  ["attack-9 a longer audience", claim({ aud: "signet-ca-2" }), "token_audience_wrong"],
  ["attack-9 two audiences", claim({ aud: ["signet-ca", "kubernetes"] }), "token_audience_wrong"],
  [
    "attack-9 an audience twice",
    claim({ aud: ["signet-ca", "signet-ca"] }),
    "token_audience_wrong",
  ],
  ["attack-9 no audience", without("aud"), "token_audience_wrong"],
  ["attack-9 a token that has expired", claim({ iat: startS - 600, exp: startS }), "token_expired"],
  ["attack-9 a token that expired long ago", claim({ iat: 1, exp: 601 }), "token_expired"],
  ["attack-9 no end", without("exp"), "token_invalid"],
  ["attack-9 no beginning", without("iat"), "token_invalid"],
  ["attack-9 a token from the future", claim({ nbf: startS + 60 }), "token_invalid"],
  ["attack-9 an end that is no number", claim({ exp: "never" as never }), "token_invalid"],
  ["attack-9 a life of a day", claim({ exp: startS + 86_400 }), "token_invalid"],
  ["attack-8 no subject", without("sub"), "token_invalid"],
  ["attack-8 a user's token", claim({ sub: "admin" }), "token_invalid"],
  [
    "attack-8 a subject in another namespace",
    claim({ sub: "system:serviceaccount:app-b:app-a" }),
    "token_invalid",
  ],
  [
    "attack-8 a subject that goes on",
    claim({ sub: "system:serviceaccount:app-a:app-a:x" }),
    "token_invalid",
  ],
  ["attack-10 a token bound to nothing", without("kubernetes.io"), "token_not_pod_bound"],
  [
    "attack-10 a token bound to a node",
    claim({ "kubernetes.io": { ...bound, pod: undefined } }),
    "token_not_pod_bound",
  ],
  [
    "attack-10 a pod without UID",
    claim({ "kubernetes.io": { ...bound, pod: { name: "a" } } }),
    "token_not_pod_bound",
  ],
  [
    "attack-10 a pod whose UID is no text",
    claim({ "kubernetes.io": { ...bound, pod: { name: "a", uid: ["pod-uid"] } } }),
    "token_not_pod_bound",
  ],
  [
    "attack-10 binding that is a list",
    claim({ "kubernetes.io": ["app-a"] }),
    "token_not_pod_bound",
  ],
];

for (const [what, token, code] of denied) {
  const title = what.startsWith("attack-")
    ? what.replace(" ", " review refuses ")
    : `review refuses ${what}`;
  test(title, async (t) => {
    const { reviewer } = setUp();
    const error = await t.throwsAsync(reviewer.review(await token()), { instanceOf: CaError });
    t.is(error.code, code, error.message);
    // What is secret has no place in a message.
    t.notRegex(error.message, /eyJ/);
  });
}

test("attack-13 review refuses everything when the key set is missing, empty or secret", async (t) => {
  const secret = { kty: "oct", k: encoded("secret"), kid: "k1", alg: "HS256" };
  for (const text of ["", "{}", "[]", "null", '{"keys":[]}', JSON.stringify({ keys: [secret] })]) {
    const { state, reviewer } = setUp();
    state.jwks = text;
    await t.throwsAsync(reviewer.review(await sign()), { code: "token_review_failed" });
  }
});

test("property: any text is refused with a CaError", async (t) => {
  const { reviewer } = setUp();
  const token = await sign();
  const near = fc
    .tuple(fc.nat(token.length - 1), fc.string({ maxLength: 3 }))
    .map(([at, text]) => token.slice(0, at) + text + token.slice(at + 1));
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), near), async (text) => {
      // The last character of base64url may carry bits that do not count.
      if (text.slice(0, -1) === token.slice(0, -1)) return;
      await t.throwsAsync(reviewer.review(text), { instanceOf: CaError });
    }),
    fuzzOptions(t, 200),
  );
});
