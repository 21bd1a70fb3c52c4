// Tokens over the Workload API: asked for, kept, verified, and what they are verified with.
import test from "ava";
import type { ExecutionContext } from "ava";
import { SignJWT, createLocalJWKSet, jwtVerify } from "jose";
import { create, toBinary } from "@bufbuild/protobuf";
import * as wire from "#/api/gen/spiffe/workload_pb.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { RpcErrorCode } from "#/api/rpc-error.ts";
import { jwtKeyAt } from "#/ca/jwt-keys.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { CertifierFixture, ownId, root, startMs } from "#/test/kit/certifier.ts";
import { newKey } from "#/test/kit/forge.ts";
import { status } from "#/test/kit/workload-client.ts";
import type { Call } from "#/test/kit/workload-client.ts";
import { certified } from "#/test/kit/workload-site.ts";
import type { Site } from "#/test/kit/workload-site.ts";
import { tokensAskedMax, tokensKeptMax } from "./tokens.ts";

const trustDomain = parseTrustDomain("cluster.local");
const key = jwtKeyAt(newKey(), trustDomain, startMs);
const stranger = jwtKeyAt(newKey(), trustDomain, startMs);

interface Claims {
  readonly sub?: string;
  readonly aud?: readonly string[];
  readonly lifeS?: number;
}

async function sign(nowMs: number, { sub = ownId, aud = ["b"], lifeS = 300 }: Claims, by = key) {
  const iat = Math.floor(nowMs / 1000);
  return new SignJWT({
    sub,
    aud: [...aud],
    iat,
    exp: iat + lifeS,
    more: { list: [1, "two", null] },
  })
    .setProtectedHeader({ alg: "ES256", kid: by.keyId, typ: "JWT" })
    .sign(by.privateKey);
}

/** A site whose bundle has come, and whose controller issues tokens as `claims` and `by` say. */
async function told(t: ExecutionContext, claims: Claims = {}, by = key): Promise<Site> {
  const fixture = new CertifierFixture();
  fixture.jwtAnswer = async ({ audiences }) => {
    const now = fixture.truth.now();
    return { svid: await sign(now, { aud: audiences, ...claims }, by), expiresAt: now + 300_000 };
  };
  const site = await certified(t, { fixture });
  site.api.trust({ roots: [root.der] }, [key], new Map());
  return site;
}

function fetch(site: Pick<Site, "client">, audience: readonly string[], spiffeId = ""): Call {
  const request = create(wire.JWTSVIDRequestSchema, { audience: [...audience], spiffeId });
  return site.client().call("FetchJWTSVID", toBinary(wire.JWTSVIDRequestSchema, request));
}

function validate(site: Site, audience: string, svid: string): Call {
  const request = create(wire.ValidateJWTSVIDRequestSchema, { audience, svid });
  return site
    .client()
    .call("ValidateJWTSVID", toBinary(wire.ValidateJWTSVIDRequestSchema, request));
}

const tokenOf = async (call: Call): Promise<string> => {
  const { svids } = await call.answer(wire.JWTSVIDResponseSchema);
  return svids[0]?.svid ?? "";
};

test("FetchJWTSVID gives a token of the pod for the audiences, asked with the pod's own token", async (t) => {
  const site = await told(t);
  const { svids } = await fetch(site, ["b", "c", "b"]).answer(wire.JWTSVIDResponseSchema);
  t.is(svids.length, 1);
  t.is(svids[0]?.spiffeId, ownId);
  t.deepEqual(site.fixture.jwtRequests, [{ token: "token-1", audiences: ["b", "c"] }]);
  const { claims, spiffeId } = await validate(site, "c", svids[0]!.svid).answer(
    wire.ValidateJWTSVIDResponseSchema,
  );
  t.is(spiffeId, ownId);
  t.like(claims, { sub: ownId, aud: ["b", "c"], more: { list: [1, "two", null] } });
});

test("FetchJWTSVID takes the pod's own identity by name, and no other", async (t) => {
  const site = await told(t);
  t.not(await tokenOf(fetch(site, ["b"], ownId)), "");
  const { status: code, message } = await fetch(site, ["b"], `${ownId}x`).ended;
  t.is(code, status.permissionDenied);
  t.is(message, `Cannot serve: this pod is "${ownId}"`);
});

for (const audience of [[], [""], ["b", ""]]) {
  test(`FetchJWTSVID refuses the audiences ${JSON.stringify(audience)}`, async (t) => {
    const site = await told(t);
    t.is((await fetch(site, audience).ended).status, status.invalidArgument);
    t.is(site.fixture.jwtRequests.length, 0);
  });
}

test("a token is kept for half of its life, for its audiences", async (t) => {
  const site = await told(t);
  const first = await tokenOf(fetch(site, ["b"]));
  await site.fixture.pass(149_000);
  t.is(await tokenOf(fetch(site, ["b"])), first);
  t.not(await tokenOf(fetch(site, ["c"])), first);
  await site.fixture.pass(2_000);
  t.not(await tokenOf(fetch(site, ["b"])), first);
  t.is(site.fixture.jwtRequests.length, 3);
});

test("a wall clock that is set back keeps no token for longer", async (t) => {
  const site = await told(t, { lifeS: 1000 });
  await tokenOf(fetch(site, ["b"]));
  site.fixture.truth.advance(501_000);
  site.fixture.wallOffsetMs = -501_000;
  site.fixture.jwtAnswer = () => {
    throw new RpcError("unavailable", "gone");
  };
  t.is((await fetch(site, ["b"]).ended).status, status.unavailable);
});

test(`tokens of ${tokensKeptMax} lists of audiences are kept, and no more`, async (t) => {
  const site = await told(t);
  const lists = Array.from({ length: tokensKeptMax + 1 }, (_, at) => [`a${at}`]);
  const one = site.client();
  const through = { client: () => one };
  for (const each of lists) await tokenOf(fetch(through, each));
  const asked = site.fixture.jwtRequests.length;
  await tokenOf(fetch(through, lists[1]!));
  t.is(site.fixture.jwtRequests.length, asked);
  await tokenOf(fetch(through, lists[0]!));
  t.is(site.fixture.jwtRequests.length, asked + 1);
});

test(`the controller is asked once for a list, and for ${tokensAskedMax} lists at once at most`, async (t) => {
  const site = await told(t);
  const answer = site.fixture.jwtAnswer;
  const { promise, resolve } = Promise.withResolvers<void>();
  site.fixture.jwtAnswer = async (request) => {
    await promise;
    return answer(request);
  };
  const lists = Array.from({ length: tokensAskedMax }, (_, at) => [`a${at}`]);
  const calls = [...lists, ...lists].map((each) => fetch(site, each));
  while (site.fixture.jwtRequests.length < tokensAskedMax) await site.fixture.pass(0);
  const { status: code } = await fetch(site, ["more"]).ended;
  t.is(code, status.resourceExhausted);
  resolve();
  t.false((await Promise.all(calls.map(tokenOf))).includes(""));
  t.is(site.fixture.jwtRequests.length, tokensAskedMax);
});

const answers: readonly (readonly [RpcErrorCode, number])[] = [
  ["unavailable", status.unavailable],
  ["permission_denied", status.permissionDenied],
  ["invalid_argument", status.invalidArgument],
];
for (const [code, number] of answers) {
  test(`FetchJWTSVID passes on that the controller said ${code}, and asks again next time`, async (t) => {
    const site = await told(t);
    const answer = site.fixture.jwtAnswer;
    site.fixture.jwtAnswer = () => {
      throw new RpcError(code, "why");
    };
    t.is((await fetch(site, ["b"]).ended).status, number);
    site.fixture.jwtAnswer = answer;
    t.not(await tokenOf(fetch(site, ["b"])), "");
  });
}

const unsound: readonly (readonly [string, Claims, typeof key])[] = [
  ["somebody else's", { sub: "spiffe://cluster.local/ns/a/sa/other" }, key],
  ["for another audience", { aud: ["other"] }, key],
  ["over already", { lifeS: -1 }, key],
  ["by a key that the bundle has not", {}, stranger],
];
for (const [what, claims, by] of unsound) {
  test(`FetchJWTSVID hands out no token that is ${what}`, async (t) => {
    const site = await told(t, claims, by);
    const call = fetch(site, ["b"]);
    t.is((await call.ended).status, status.unavailable);
    t.is(call.answers.length, 0);
  });
}

test("before the bundle has come, tokens are neither given nor judged", async (t) => {
  const site = await certified(t);
  const now = site.fixture.truth.now();
  site.fixture.jwtAnswer = async () => ({ svid: await sign(now, {}), expiresAt: now + 300_000 });
  t.is((await fetch(site, ["b"]).ended).status, status.unavailable);
  t.is((await validate(site, "b", await sign(now, {})).ended).status, status.unavailable);
  t.is((await site.client().call("FetchJWTBundles").ended).status, status.unavailable);
});

test("FetchJWTBundles gives keys that jose verifies with, and again only when they are others", async (t) => {
  const site = await told(t);
  const call = site.client().call("FetchJWTBundles");
  const { bundles } = await call.answer(wire.JWTBundlesResponseSchema);
  t.deepEqual(Object.keys(bundles), ["spiffe://cluster.local"]);
  const jwks = JSON.parse(Buffer.from(bundles["spiffe://cluster.local"]!).toString()) as never;
  const now = site.fixture.truth.now();
  const options = { audience: "b", currentDate: new Date(now) };
  const { payload } = await jwtVerify(await sign(now, {}), createLocalJWKSet(jwks), options);
  t.is(payload.sub, ownId);
  const { keyId, publicKey } = key;
  site.api.trust({ roots: [root.der] }, [{ keyId, publicKey }], new Map());
  site.api.trust({ roots: [root.der] }, [key, stranger], new Map());
  await call.answer(wire.JWTBundlesResponseSchema, 2);
  site.api.trust({ roots: [root.der] }, [], new Map());
  t.is((await call.ended).status, status.unavailable);
  t.is(call.answers.length, 2);
});

const foreign: readonly (readonly [string, string, (now: number) => Promise<string> | string])[] = [
  ["a token for another audience", "b", (now) => sign(now, { aud: ["c"] })],
  ["a token that is over", "b", (now) => sign(now - 400_000, {})],
  ["a token of another key", "b", (now) => sign(now, {}, stranger)],
  ["a token of another trust domain", "b", (now) => sign(now, { sub: "spiffe://other.test/a" })],
  ["what is no token", "b", () => "a.b.c"],
  ["nothing", "b", () => ""],
  ["no audience", "", (now) => sign(now, {})],
];
for (const [what, audience, make] of foreign) {
  test(`ValidateJWTSVID refuses ${what}, and says why`, async (t) => {
    const site = await told(t);
    const call = validate(site, audience, await make(site.fixture.truth.now()));
    const { status: code, message } = await call.ended;
    t.is(code, status.invalidArgument);
    t.regex(message, /^Cannot (?:accept token|serve): ./);
    t.is(call.answers.length, 0);
  });
}

test("methods for tokens need the header, too, and a message that can be read", async (t) => {
  const site = await told(t);
  for (const method of ["FetchJWTSVID", "FetchJWTBundles", "ValidateJWTSVID"]) {
    t.is((await site.client().call(method, undefined, {}).ended).status, status.invalidArgument);
  }
  const noise = Uint8Array.of(0x0a, 0x7f);
  for (const method of ["FetchJWTSVID", "ValidateJWTSVID"]) {
    t.is((await site.client().call(method, noise).ended).status, status.invalidArgument);
  }
});
