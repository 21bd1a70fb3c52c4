import test from "ava";
import type { IssueResponse } from "#/api/identity.ts";
import { RpcError } from "#/api/rpc-error.ts";
import { fingerprint } from "#/identity/bundle.ts";
import {
  CertifierFixture,
  answerTo,
  evil,
  evilIssuer,
  lifeMs,
  ownId,
  refuses,
} from "#/test/kit/certifier.ts";
import { root, settled, startMs, started } from "#/test/kit/certifier.ts";
import type { LeafOptions } from "#/test/kit/certifier.ts";
import { until } from "#/test/kit/controller-server.ts";
import { newKey } from "#/test/kit/forge.ts";
import { issueDeadlineMs, renewalDelayMinMs } from "./certify.ts";

test("certify asks with the token and sets what it was given", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  t.is(certifier.svid.get(), null);
  await started(fixture);
  const svid = certifier.svid.get();
  t.is(svid?.id, ownId);
  t.is(svid?.notAfter, startMs + lifeMs);
  t.is(svid?.logIndex, 0);
  t.is(fixture.requests[0]?.token, "token-1");
  t.is(fixture.closed, 1, "the connection is let go");
});

test("certify renews after a third of the life with a new key and the token of now", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  const first = certifier.svid.get();
  fixture.write("token", "token-2");
  await fixture.pass(lifeMs / 3 - 1);
  t.is(fixture.requests.length, 1);
  await fixture.pass(1);
  await started(fixture, 2);
  const second = certifier.svid.get();
  t.is(fixture.requests[1]?.token, "token-2");
  t.not(first?.serial, undefined);
  t.false(first?.privateKey.equals(second!.privateKey) ?? true);
  t.deepEqual(fixture.seen, [first, second], "there was no moment without one");
});

test("certify renews soon when the mesh hangs from another intermediate, and asks later each time until it does", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  const roots = [root.der];
  certifier.trust({ roots });
  certifier.trust({ roots, authority: "ab".repeat(32) });
  await fixture.pass(4_900);
  t.is(fixture.requests.length, 1, "not all sidecars at once");
  await fixture.pass(4_200);
  await started(fixture, 2);
  // Still of the former one: from a controller that is behind.
  await fixture.pass(9_000);
  t.is(fixture.requests.length, 2);
  await fixture.pass(8_100);
  await started(fixture, 3);
  const above = certifier.svid.get()!.chain.at(-1)!;
  certifier.trust({ roots, authority: fingerprint(above) });
  await fixture.pass(40_000);
  t.true(fixture.requests.length <= 4, "what was due by then, and no more");
  const asked = fixture.requests.length;
  await fixture.pass(100_000);
  t.is(fixture.requests.length, asked, "it has what it should have");
});

test("certify keeps the last good one, backs off, and has none after its end", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  const first = certifier.svid.get();
  fixture.answer = () => Promise.reject(new RpcError("unavailable", "away"));
  const attempts: number[] = [];
  for (let second = 0; second < lifeMs / 1000 - 1; second += 1) {
    const before = fixture.requests.length;
    fixture.truth.advance(1000);
    if (second > 298) await settled();
    if (fixture.requests.length > before) attempts.push(second + 1);
    t.is(certifier.svid.get(), first);
    if (second > 360) break;
  }
  // From the third of the life on: at once, and then ever later, up to 15 s apart.
  t.is(attempts[0], 300);
  t.true(attempts.length >= 6 && attempts.length <= 14, attempts.join(" "));
  t.true(fixture.failures("unavailable") >= attempts.length);
  for (let step = 0; step < 40; step += 1) await fixture.pass(15_000);
  t.is(certifier.svid.get(), null);
  t.true(fixture.logged.some((line) => line.startsWith("error certificate ended")));
});

test("certify comes back by itself after an outage", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  const good = fixture.answer;
  fixture.answer = () => Promise.reject(new RpcError("unavailable", "away"));
  for (let step = 0; step < 80; step += 1) await fixture.pass(12_000);
  t.is(certifier.svid.get(), null);
  fixture.answer = good;
  await fixture.pass(15_000);
  await started(fixture, 2);
  t.is(certifier.svid.get()?.id, ownId);
});

test("certify never asks more than once a second, however short the lives", async (t) => {
  using fixture = new CertifierFixture();
  fixture.answer = (request) => answerTo(request, fixture.truth.now(), { lifeMs: 2000 });
  fixture.start();
  await started(fixture);
  await fixture.pass(renewalDelayMinMs - 1);
  t.is(fixture.requests.length, 1);
  await fixture.pass(1);
  t.is(fixture.requests.length, 2);
});

test("certify does not use an answer that comes after the deadline", async (t) => {
  using fixture = new CertifierFixture();
  const late = Promise.withResolvers<IssueResponse>();
  const good = fixture.answer;
  fixture.answer = () => late.promise;
  const certifier = fixture.start();
  await until(() => fixture.requests.length === 1);
  const [request] = fixture.requests;
  await fixture.pass(issueDeadlineMs + 1000);
  t.is(fixture.failures("answer_late"), 1);
  fixture.answer = good;
  await fixture.pass(1000);
  await started(fixture);
  const second = certifier.svid.get();
  late.resolve(answerTo(request!, startMs));
  await settled();
  t.is(certifier.svid.get(), second);
  t.is(fixture.issued, 1);
});

test("certify does not use an answer that comes after it was stopped", async (t) => {
  using fixture = new CertifierFixture();
  const late = Promise.withResolvers<IssueResponse>();
  fixture.answer = () => late.promise;
  const certifier = fixture.start();
  await until(() => fixture.requests.length === 1);
  certifier.stop();
  late.resolve(answerTo(fixture.requests[0]!, startMs));
  await settled();
  t.is(certifier.svid.get(), null);
  await fixture.pass(lifeMs);
  t.is(fixture.requests.length, 1);
});

test("certify retries when whoever hears of the certificate throws, and still watches its end", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  const stopThrowing = certifier.svid.onChange((svid) => {
    if (svid !== null) throw new Error("Cannot use it");
  });
  await until(() => fixture.failures("internal") === 1);
  stopThrowing();
  await fixture.pass(1000);
  await started(fixture, 2);
  t.not(certifier.svid.get(), null);
});

const badAnswers: readonly [string, string, LeafOptions][] = [
  ["attack-1 another identity", "answer_foreign_identity", { id: `${ownId}x` }],
  [
    "attack-7 a look-alike trust domain",
    "answer_invalid",
    { id: "spiffe://cluster.local.evil/ns/a/sa/a" },
  ],
  ["a certificate of another key", "answer_foreign_key", { key: newKey() }],
  ["a chain to a root that is not trusted", "answer_invalid", { signer: evilIssuer }],
  [
    "a certificate that the root itself signed as if it were an issuer",
    "answer_invalid",
    { signer: { ...evil, der: root.der } },
  ],
];
for (const [what, reason, options] of badAnswers) {
  test(`certify refuses ${what}`, async (t) => {
    using fixture = new CertifierFixture();
    fixture.answer = (request) => answerTo(request, startMs, options);
    const certifier = fixture.start();
    await refuses(t, fixture, certifier, reason);
  });
}

test("certify refuses an empty answer", async (t) => {
  using fixture = new CertifierFixture();
  fixture.answer = (request) => ({ ...answerTo(request, startMs), certificateChain: [] });
  await refuses(t, fixture, fixture.start(), "answer_invalid");
});
