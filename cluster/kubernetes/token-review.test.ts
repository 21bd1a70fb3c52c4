import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import type { ApiRequest, KubernetesClient } from "./client.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import type { TokenReviewErrorCode } from "./token-review.ts";
import { createTokenReview } from "./token-review.ts";

const now = Date.UTC(2026, 0, 1);
const second = now / 1000;

function token(change: Readonly<Record<string, unknown>> = {}): string {
  const claims = { aud: ["signet-ca"], iat: second, exp: second + 600, ...change };
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part(claims)}.c2ln`;
}

const user = {
  username: "system:serviceaccount:app:web",
  extra: {
    "authentication.kubernetes.io/pod-name": ["web-1"],
    "authentication.kubernetes.io/pod-uid": ["uid-1"],
    "authentication.kubernetes.io/credential-id": ["JTI=one"],
  },
};
const status = { authenticated: true, audiences: ["signet-ca"], user };

/** Stands in for the API server. */
function lab(answer: (request: ApiRequest) => unknown = () => ({ status })) {
  const asked: ApiRequest[] = [];
  const clock = new ManualClock(now);
  const client: KubernetesClient = {
    async call(request) {
      asked.push(request);
      return answer(request);
    },
    stream: () => Promise.reject(new Error("nothing streams")),
    close() {},
  };
  return { asked, clock, review: createTokenReview({ client, clock }) };
}

test("createTokenReview asks for our audience and takes who the API server names", async (t) => {
  const { asked, review } = lab();
  const reviewed = await review(token());
  t.like(reviewed, { namespace: "app", serviceAccount: "web", podName: "web-1", podUid: "uid-1" });
  t.deepEqual(
    asked.map(({ body }) => (body as { spec: object }).spec),
    [{ token: token(), audiences: ["signet-ca"] }],
  );
});

test("createTokenReview remembers a token for ten seconds, and never beyond its end", async (t) => {
  const { asked, clock, review } = lab();
  await Promise.all([review(token()), review(token())]);
  await review(token());
  t.is(asked.length, 1, "also of two at once");
  clock.advance(10_000);
  await review(token());
  t.is(asked.length, 2);
  const short = token({ exp: second + 13 });
  await review(short);
  clock.advance(3_000);
  await t.throwsAsync(review(short), { code: "token_expired" });
  t.is(asked.length, 3);
});

test("createTokenReview remembers no refusal", async (t) => {
  let isGenuine = false;
  const { review } = lab(() => (isGenuine ? { status } : { status: { authenticated: false } }));
  await t.throwsAsync(review(token()), { code: "token_invalid" });
  isGenuine = true;
  t.is((await review(token())).podName, "web-1");
});

test("createTokenReview: an API server that is away is no acceptance, and can be asked again", async (t) => {
  const { review } = lab(() => {
    throw new KubernetesError("unavailable", "Cannot POST /x: gone");
  });
  const refusal = await t.throwsAsync(review(token()), { code: "token_review_failed" });
  t.false(refusal?.message.includes(token()));
});

const early: readonly [title: string, text: string, code: TokenReviewErrorCode][] = [
  ["nothing", "", "token_invalid"],
  ["no JWT", "a.b", "token_invalid"],
  ["claims that are no JSON", "a.b.c", "token_invalid"],
  ["claims that are null", `a.${Buffer.from("null").toString("base64url")}.c`, "token_invalid"],
  ["too many characters", `${token()}${"a".repeat(16_384)}`, "token_invalid"],
  ["no end", token({ exp: undefined }), "token_invalid"],
  ["an end that is past", token({ exp: second }), "token_expired"],
  ["a life of more than an hour", token({ exp: second + 3_601 }), "token_invalid"],
  ["another audience", token({ aud: ["other"] }), "token_audience_wrong"],
  ["one audience more", token({ aud: ["signet-ca", "other"] }), "token_audience_wrong"],
  ["no audience", token({ aud: undefined }), "token_audience_wrong"],
];
for (const [title, text, code] of early) {
  test(`createTokenReview refuses ${title} and asks nobody`, async (t) => {
    const { asked, review } = lab();
    await t.throwsAsync(review(text), { code });
    t.deepEqual(asked, []);
  });
}

const withUser = (change: object): object => ({
  status: { ...status, user: { ...user, ...change } },
});
const withExtra = (change: object): object => withUser({ extra: { ...user.extra, ...change } });
const late: readonly [title: string, answer: unknown, code: TokenReviewErrorCode][] = [
  ["null", null, "token_invalid"],
  ["a list", [], "token_invalid"],
  ["no status", {}, "token_invalid"],
  ["authenticated as a text", { status: { ...status, authenticated: "true" } }, "token_invalid"],
  ["no audiences", { status: { ...status, audiences: undefined } }, "token_audience_wrong"],
  ["other audiences", { status: { ...status, audiences: ["x"] } }, "token_audience_wrong"],
  [
    "audiences as a text",
    { status: { ...status, audiences: "signet-ca" } },
    "token_audience_wrong",
  ],
  ["a person", withUser({ username: "admin" }), "token_invalid"],
  ["a node", withUser({ username: "system:node:a" }), "token_invalid"],
  ["a subject with more", withUser({ username: `${user.username}:x` }), "token_invalid"],
  ["a subject in a new line", withUser({ username: `x\n${user.username}` }), "token_invalid"],
  ["no extra", withUser({ extra: undefined }), "token_not_pod_bound"],
  ["no pod", withExtra({ "authentication.kubernetes.io/pod-name": [] }), "token_not_pod_bound"],
  [
    "two pods",
    withExtra({ "authentication.kubernetes.io/pod-uid": ["a", "b"] }),
    "token_not_pod_bound",
  ],
];
for (const [title, answer, code] of late) {
  test(`createTokenReview refuses an answer with ${title}`, async (t) => {
    await t.throwsAsync(lab(() => answer).review(token()), { code });
  });
}

test("createTokenReview asks for sixteen tokens at once, no more", async (t) => {
  const waiting: ((value: unknown) => void)[] = [];
  const { asked, review } = lab(() => new Promise((resolve) => waiting.push(resolve)));
  const all = Array.from({ length: 40 }, (_, index) => review(token({ jti: String(index) })));
  await new Promise((resolve) => setImmediate(resolve));
  t.is(asked.length, 16);
  while (asked.length < 40 || waiting.length > 0) {
    waiting.shift()?.({ status });
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.is((await Promise.all(all)).length, 40);
});
