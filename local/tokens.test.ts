// Tokens as a cluster signs them, verified as the controller does: by signature, issuer and audience.
import { createLocalJWKSet, jwtVerify } from "jose";
import type { JSONWebKeySet, JWTVerifyOptions } from "jose";
import test from "ava";
import { TokenSigner, tokenIssuer } from "./tokens.ts";
import type { TokenClaims } from "./tokens.ts";

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const nowSeconds = Math.floor(nowMs / 1000);
const claims: TokenClaims = {
  audience: "signet",
  lifetimeSeconds: 600,
  namespace: "n",
  serviceAccount: { name: "web", uid: "uid-of-account" },
  pod: { name: "web-1", uid: "uid-of-pod" },
};

type Verified = Awaited<ReturnType<typeof jwtVerify>>;

async function verify(
  signer: TokenSigner,
  token: string,
  options: JWTVerifyOptions = {},
): Promise<Verified> {
  const keys = createLocalJWKSet(JSON.parse(await signer.jwks()) as JSONWebKeySet);
  return jwtVerify(token, keys, {
    issuer: tokenIssuer,
    audience: "signet",
    algorithms: ["ES256"],
    currentDate: new Date(nowMs),
    ...options,
  });
}

test("sign makes the claims of a bound Kubernetes token", async (t) => {
  const signer = new TokenSigner(() => nowMs);
  const { payload, protectedHeader } = await verify(signer, await signer.sign(claims));
  t.is(protectedHeader.alg, "ES256");
  t.truthy(protectedHeader.kid);
  const { jti, ...rest } = payload;
  t.regex(jti ?? "", /^[0-9a-f-]{36}$/);
  t.deepEqual(rest, {
    iss: tokenIssuer,
    sub: "system:serviceaccount:n:web",
    aud: "signet",
    iat: nowSeconds,
    nbf: nowSeconds,
    exp: nowSeconds + 600,
    "kubernetes.io": {
      namespace: "n",
      serviceaccount: { name: "web", uid: "uid-of-account" },
      pod: { name: "web-1", uid: "uid-of-pod" },
      node: { name: "local" },
    },
  });
});

test("sign gives each token an id of its own", async (t) => {
  const signer = new TokenSigner(() => nowMs);
  const tokens = await Promise.all([signer.sign(claims), signer.sign(claims)]);
  const ids = await Promise.all(
    tokens.map(async (token) => (await verify(signer, token)).payload.jti),
  );
  t.is(new Set(ids).size, 2);
});

test("a token does not verify for another audience, after its end, or with another mesh's keys", async (t) => {
  const signer = new TokenSigner(() => nowMs);
  const token = await signer.sign(claims);
  await t.throwsAsync(verify(signer, token, { audience: "other" }), { message: /"aud"/ });
  const later = new Date(nowMs + 601_000);
  await t.throwsAsync(verify(signer, token, { currentDate: later }), { message: /"exp"/ });
  await t.throwsAsync(verify(new TokenSigner(() => nowMs), token), {
    message: /no applicable key/,
  });
});

test("jwks publishes the public half and nothing of the private one", async (t) => {
  const { keys } = JSON.parse(await new TokenSigner(() => nowMs).jwks()) as { keys: object[] };
  t.is(keys.length, 1);
  t.deepEqual(Object.keys(keys[0]!).toSorted(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
});
