import test from "ava";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { createJwksReviewer } from "#/ca/attest.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { TokenSigner, tokenIssuer } from "./tokens.ts";
import type { TokenClaims } from "./tokens.ts";

const start = Date.UTC(2030, 0, 1);
const claims: TokenClaims = {
  audience: "signet-ca",
  lifetimeSeconds: 600,
  namespace: "app-a",
  serviceAccount: { name: "web", uid: "sa-1" },
  pod: { name: "web-1", uid: "pod-1" },
};

function setUp(): { clock: ManualClock; signer: TokenSigner } {
  const clock = new ManualClock(start);
  return { clock, signer: new TokenSigner(() => clock.now()) };
}

test("TokenSigner signs what the authority accepts, with a cluster's claims", async (t) => {
  const { clock, signer } = setUp();
  const reviewer = createJwksReviewer({
    issuer: tokenIssuer,
    readJwks: () => signer.jwks(),
    clock,
  });
  const token = await signer.sign(claims);
  const reviewed = await reviewer.review(token);
  t.like(reviewed, {
    namespace: "app-a",
    serviceAccount: "web",
    podName: "web-1",
    podUid: "pod-1",
  });
  const { jti, ...body } = decodeJwt(token);
  t.deepEqual(body, {
    aud: ["signet-ca"],
    exp: start / 1000 + 600,
    iat: start / 1000,
    nbf: start / 1000,
    iss: "https://signet.local",
    sub: "system:serviceaccount:app-a:web",
    "kubernetes.io": {
      namespace: "app-a",
      node: { name: "local" },
      pod: { name: "web-1", uid: "pod-1" },
      serviceaccount: { name: "web", uid: "sa-1" },
    },
  });
  t.regex(jti ?? "", /^[0-9a-f-]{36}$/);
  t.is(decodeProtectedHeader(token).alg, "ES256");
});

test("TokenSigner gives no two tokens one identifier", async (t) => {
  const { signer } = setUp();
  const tokens = await Promise.all([signer.sign(claims), signer.sign(claims)]);
  t.not(decodeJwt(tokens[0]).jti, decodeJwt(tokens[1]).jti);
});

test("attack-9 a token of the local runtime ends with its ten minutes", async (t) => {
  const { clock, signer } = setUp();
  const reviewer = createJwksReviewer({
    issuer: tokenIssuer,
    readJwks: () => signer.jwks(),
    clock,
  });
  const token = await signer.sign(claims);
  clock.advance(599_000);
  await t.notThrowsAsync(reviewer.review(token));
  clock.advance(1_000);
  await t.throwsAsync(reviewer.review(token), { code: "token_expired" });
});

test("attack-9 a token for the API server is none for the authority", async (t) => {
  const { clock, signer } = setUp();
  const reviewer = createJwksReviewer({
    issuer: tokenIssuer,
    readJwks: () => signer.jwks(),
    clock,
  });
  const token = await signer.sign({ ...claims, audience: "https://kubernetes.default.svc" });
  await t.throwsAsync(reviewer.review(token), { code: "token_audience_wrong" });
});

test("attack-13 a token of the mesh's last run is not accepted in this one", async (t) => {
  const { clock, signer } = setUp();
  const { signer: last } = setUp();
  const reviewer = createJwksReviewer({
    issuer: tokenIssuer,
    readJwks: () => signer.jwks(),
    clock,
  });
  await t.throwsAsync(reviewer.review(await last.sign(claims)));
});

test("TokenSigner shows only the public half of its key", async (t) => {
  const { keys } = JSON.parse(await setUp().signer.jwks()) as { keys: Record<string, string>[] };
  t.is(keys.length, 1);
  t.deepEqual(Object.keys(keys[0] ?? {}).toSorted(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
});
