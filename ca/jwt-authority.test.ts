import test from "ava";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { verifyJwtSvid } from "#/identity/jwt-svid.ts";
import type { JwtFacts } from "#/identity/jwt-svid.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import {
  createAuthorities,
  createFixture,
  startMs,
  trustDomain,
} from "#/test/kit/certificate-authority.ts";
import type { AuthorityFixture, PodFixture } from "#/test/kit/certificate-authority.ts";
import type { CaErrorCode } from "./ca-error.ts";
import {
  audienceCharactersMax,
  audiencesMax,
  formerIntermediateMs,
  jwtLifetimeS,
} from "./jwt-authority.ts";
import { jwtAuthoritiesAt, jwtKeyAt, jwtKeyLifeMs } from "./jwt-keys.ts";

const address = "10.0.0.7";
const ownId = workloadId(trustDomain, "app-a", "app-a");

async function issued(fixture: AuthorityFixture, audiences = ["app-b"]): Promise<string> {
  const token = await fixture.token(fixture.addPod());
  return (await fixture.jwt.issue({ token, audiences }, address)).svid;
}

const verifyAt = (
  fixture: AuthorityFixture,
  svid: string,
  now: number,
  audience = "app-b",
): JwtFacts =>
  verifyJwtSvid(svid, { authorities: fixture.jwt.authorities(), trustDomain, audience, now });

test("issue gives a token of the workload that the token proves, for its audiences and five minutes", async (t) => {
  await using fixture = await createFixture();
  const token = await fixture.token(fixture.addPod());
  const audiences = ["app-b", "spiffe://cluster.local/ns/b/sa/b"];
  const { svid, expiresAt } = await fixture.jwt.issue({ token, audiences }, address);
  t.is(expiresAt, startMs + 300_000);
  t.is(jwtLifetimeS, 300);
  const { jti, ...claims } = decodeJwt(svid);
  const [iat, exp] = [startMs / 1000, expiresAt / 1000];
  t.deepEqual(claims, { sub: ownId, aud: audiences, iat, exp });
  t.regex(String(jti), /^[\w-]{22}$/);
  t.deepEqual(Object.keys(decodeProtectedHeader(svid)).toSorted(), ["alg", "kid", "typ"]);
  for (const audience of audiences) t.is(verifyAt(fixture, svid, startMs, audience).id, ownId);
  t.throws(() => verifyAt(fixture, svid, expiresAt), { code: "jwt_expired" });
});

test("issue tells in the log who got what for whom, and neither token", async (t) => {
  await using fixture = await createFixture();
  const pod = fixture.addPod();
  const token = await fixture.token(pod);
  const { svid } = await fixture.jwt.issue({ token, audiences: ["one", "two"] }, address);
  t.is(fixture.logged.length, 1);
  const [line = ""] = fixture.logged;
  t.true(line.startsWith("token issued "));
  for (const said of [ownId, "one two", pod.name, pod.uid, String(decodeJwt(svid).jti), address]) {
    t.true(line.includes(said), said);
  }
  for (const secret of [svid, token, svid.split(".")[2]!]) t.false(line.includes(secret));
});

test("issue gives every token an identifier of its own", async (t) => {
  await using fixture = await createFixture();
  const token = await fixture.token(fixture.addPod());
  const ask = () => fixture.jwt.issue({ token, audiences: ["app-b"] }, address);
  const answers = [await ask(), await ask(), await ask()];
  const identifiers = answers.map(({ svid }) => decodeJwt(svid).jti);
  t.is(new Set(identifiers).size, 3);
});

type Change = (
  fixture: AuthorityFixture,
  pod: PodFixture,
) => Promise<Partial<Asked>> | Partial<Asked>;
interface Asked {
  readonly token: string;
  readonly audiences: readonly string[];
  readonly address: string;
}
const audiences =
  (...list: readonly string[]): Change =>
  () => ({ audiences: list });
const denials: readonly (readonly [string, CaErrorCode, Change])[] = [
  ["no audience", "audience_invalid", audiences()],
  ["an empty audience", "audience_invalid", audiences("a", "")],
  ["an audience with a line break", "audience_invalid", audiences("a\nb")],
  ["an audience in another script", "audience_invalid", audiences("ä")],
  ["a long audience", "audience_invalid", audiences("a".repeat(audienceCharactersMax + 1))],
  [
    "many audiences",
    "audience_invalid",
    audiences(...Array.from({ length: audiencesMax + 1 }, (_, at) => `a${at}`)),
  ],
  ["attack-55 no token", "token_invalid", () => ({ token: "" })],
  [
    "attack-9 a token for another audience",
    "token_audience_wrong",
    async (fixture, pod) => ({ token: await fixture.token(pod, { aud: ["other"] }) }),
  ],
  [
    "attack-9 a pod that is gone",
    "pod_unknown",
    async (fixture, pod) => {
      fixture.pods.clear();
      return { token: await fixture.token(pod) };
    },
  ],
  [
    "attack-9 a pod that was replaced",
    "pod_uid_mismatch",
    async (fixture, pod) => {
      const token = await fixture.token(pod);
      fixture.addPod();
      return { token };
    },
  ],
  [
    "attack-10 a token replayed from another pod",
    "address_mismatch",
    () => ({ address: "10.0.0.8" }),
  ],
  [
    "a JWT-SVID as the pod's token",
    "token_invalid",
    async (fixture) => ({ token: await issued(fixture, ["signet-ca"]) }),
  ],
];
for (const [title, code, change] of denials) {
  const attack = /^attack-\d+ /.exec(title)?.[0] ?? "";
  test(`${attack}issue refuses ${title.slice(attack.length)}`, async (t) => {
    await using fixture = await createFixture();
    const pod = fixture.addPod();
    const sound = { token: await fixture.token(pod), audiences: ["app-b"], address };
    const { address: peer, ...request } = { ...sound, ...(await change(fixture, pod)) };
    const before = fixture.logged.length;
    await t.throwsAsync(fixture.jwt.issue(request, peer), { name: "CaError", code });
    t.is(fixture.logged.slice(before).filter((line) => line.startsWith("token issued")).length, 0);
  });
}

test("issue takes as many audiences as there may be, each as long as it may be", async (t) => {
  await using fixture = await createFixture();
  const most = Array.from({ length: audiencesMax }, (_, at) =>
    `${at}`.padStart(audienceCharactersMax, "a"),
  );
  t.is(verifyAt(fixture, await issued(fixture, most), startMs, most[7]).id, ownId);
});

test("issue has no token where there is no issuer for certificates", async (t) => {
  await using fixture = await createFixture({ intermediateLifeMs: 3_600_000 });
  fixture.clock.jump(3_600_000);
  await t.throwsAsync(issued(fixture), { code: "issuer_expired" });
});

test("keys are the same for whoever has the intermediate, and for nobody else", async (t) => {
  const [one, other] = [await createAuthorities(), await createAuthorities()];
  const { privateKey } = one.intermediate;
  const key = jwtKeyAt(privateKey, trustDomain, startMs);
  t.is(jwtKeyAt(privateKey, trustDomain, startMs).keyId, key.keyId);
  t.not(jwtKeyAt(other.intermediate.privateKey, trustDomain, startMs).keyId, key.keyId);
  t.not(jwtKeyAt(one.root.privateKey, trustDomain, startMs).keyId, key.keyId);
  t.not(jwtKeyAt(privateKey, parseTrustDomain("other.test"), startMs).keyId, key.keyId);
  t.not(jwtKeyAt(privateKey, trustDomain, startMs + jwtKeyLifeMs).keyId, key.keyId);
});

test("a token stays good over the change of the day, and its next key is known before", async (t) => {
  const day = Math.ceil((startMs + 1) / jwtKeyLifeMs) * jwtKeyLifeMs;
  await using fixture = await createFixture({ atMs: day - 1000 });
  const before = fixture.jwt.authorities();
  const late = await issued(fixture);
  fixture.clock.jump(2000);
  const early = await issued(fixture);
  t.not(decodeProtectedHeader(early).kid, decodeProtectedHeader(late).kid);
  t.is(verifyAt(fixture, late, fixture.clock.now()).id, ownId);
  const now = fixture.clock.now();
  const held = { authorities: before, trustDomain, audience: "app-b", now };
  t.is(verifyJwtSvid(early, held).id, ownId, "with a bundle that was told yesterday");
  const { privateKey } = fixture.intermediate;
  const later = jwtAuthoritiesAt(privateKey, trustDomain, now + 2 * jwtKeyLifeMs);
  t.throws(() => verifyJwtSvid(early, { ...held, authorities: later }), {
    code: "jwt_key_unknown",
  });
});

test("issue refuses an identity that is suspended", async (t) => {
  await using fixture = await createFixture();
  fixture.suspended.add(ownId);
  await t.throwsAsync(issued(fixture), { code: "identity_suspended" });
});

test("after another intermediate came into force, its former tokens count for ten minutes", async (t) => {
  await using fixture = await createFixture();
  const before = await issued(fixture);
  const other = (await createAuthorities()).intermediate;
  fixture.signing = other;
  const after = await issued(fixture);
  t.is(fixture.jwt.authorities().length, 6);
  for (const each of [before, after]) t.is(verifyAt(fixture, each, startMs).id, ownId);
  fixture.clock.jump(formerIntermediateMs);
  t.is(fixture.jwt.authorities().length, 3);
  t.throws(() => verifyAt(fixture, before, startMs), { code: "jwt_key_unknown" });
  t.is(verifyAt(fixture, after, startMs).id, ownId);
});
