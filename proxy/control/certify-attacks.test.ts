import { rmSync } from "node:fs";
import path from "node:path";
import test from "ava";
import { RpcError } from "#/api/rpc-error.ts";
import { toPem } from "#/identity/bundle.ts";
import {
  CertifierFixture,
  answerTo,
  evil,
  evilIssuer,
  issuer,
  lifeMs,
  refuses,
  root,
} from "#/test/kit/certifier.ts";
import { startMs, started } from "#/test/kit/certifier.ts";
import { until } from "#/test/kit/controller-server.ts";
import { newKey } from "#/test/kit/forge.ts";
import { receiptFor } from "#/test/kit/receipt.ts";
import type { Receipt } from "#/transparency/receipt.ts";
import { tokenBytesMax } from "#/api/bootstrap.ts";

const minuteMs = 60_000;
const none = new Uint8Array(0);

test("attack-13 without a readable token nothing is asked and nothing falls back", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  const first = certifier.svid.get();
  rmSync(path.join(fixture.directory, "token"));
  await fixture.pass(lifeMs / 3);
  t.is(fixture.failures("token_unreadable"), 1);
  t.is(fixture.requests.length, 1);
  t.is(certifier.svid.get(), first, "the last good one stays");
  fixture.write("token", " \n");
  await fixture.pass(1000);
  t.is(fixture.failures("token_unreadable"), 2);
  fixture.write("token", "x".repeat(tokenBytesMax + 1));
  await fixture.pass(1000);
  t.is(fixture.failures("token_unreadable"), 3);
  t.is(fixture.requests.length, 1);
  for (let step = 0; step < 45; step += 1) await fixture.pass(15_000);
  t.is(certifier.svid.get(), null, "and has no successor but a real one");
});

test("attack-13 a controller that answers nobody leaves the sidecar without an identity", async (t) => {
  using fixture = new CertifierFixture();
  fixture.answer = () => Promise.reject(new RpcError("permission_denied", "no"));
  const certifier = fixture.start();
  await refuses(t, fixture, certifier, "permission_denied");
  for (let step = 0; step < 10; step += 1) await fixture.pass(15_000);
  t.is(certifier.svid.get(), null);
});

test("attack-19 a bundle file without a pinned root is refused, and nobody is called", async (t) => {
  using fixture = new CertifierFixture();
  fixture.write("bundle.pem", toPem(evil.der));
  const certifier = fixture.start();
  await refuses(t, fixture, certifier, "bundle_not_pinned");
  t.deepEqual(fixture.trusted, []);
  t.deepEqual(certifier.roots(), []);
  fixture.write("bundle.pem", toPem(root.der));
  await fixture.pass(1000);
  await started(fixture);
  t.not(certifier.svid.get(), null);
});

test("attack-19 of a bundle file only the pinned roots are trusted", async (t) => {
  using fixture = new CertifierFixture();
  fixture.write("bundle.pem", toPem(evil.der) + toPem(root.der));
  fixture.start();
  await started(fixture);
  t.deepEqual(fixture.trusted, [[root.der]]);
});

test("attack-19 without pins nothing is trusted", async (t) => {
  using fixture = new CertifierFixture();
  await refuses(t, fixture, fixture.start([]), "bundle_not_pinned");
  t.deepEqual(fixture.trusted, []);
});

test("attack-19 the bundle of an answer is not believed, that of the stream is", async (t) => {
  using fixture = new CertifierFixture();
  fixture.answer = (request) => ({ ...answerTo(request, startMs), trustBundle: [evil.der] });
  const certifier = fixture.start();
  await started(fixture);
  t.deepEqual(certifier.roots(), [root.der]);
  certifier.trust({ roots: [] });
  t.deepEqual(certifier.roots(), [root.der], "an empty bundle is none");
  certifier.trust({ roots: [root.der, evil.der] });
  fixture.write("bundle.pem", "garbage");
  await fixture.pass(lifeMs / 3);
  await until(() => fixture.trusted.length === 2);
  t.deepEqual(fixture.trusted[1], [root.der, evil.der]);
});

test("certify says when the bundle file is not there", async (t) => {
  using fixture = new CertifierFixture();
  rmSync(path.join(fixture.directory, "bundle.pem"));
  await refuses(t, fixture, fixture.start(), "bundle_unreadable");
});

test("attack-18 a clock set 10 minutes ahead renews at once, without a moment without identity", async (t) => {
  using fixture = new CertifierFixture();
  fixture.start();
  await started(fixture);
  await fixture.pass(minuteMs);
  fixture.wallOffsetMs = 10 * minuteMs;
  await fixture.pass(1000);
  await started(fixture, 2);
  t.is(fixture.requests.length, 2);
  t.false(fixture.seen.includes(null));
  t.true(fixture.logged.some((line) => line.startsWith("warn wall clock was set")));
  // By this clock five minutes are left: the next renewal is in time, too.
  await fixture.pass(2 * minuteMs);
  await started(fixture, 3);
  t.false(fixture.seen.includes(null));
});

test("attack-18 a clock set 10 minutes back lengthens no life, and raises an alarm", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  const first = certifier.svid.get();
  await fixture.pass(minuteMs);
  fixture.wallOffsetMs = -10 * minuteMs;
  await fixture.pass(4 * minuteMs);
  t.is(fixture.failures("clock_behind"), 1, "what was issued begins in nine minutes by this clock");
  t.true(fixture.logged.some((line) => line.startsWith("error certificate not issued")));
  t.is(certifier.svid.get(), first, "the last good one stays");
  for (let step = 0; step < 39; step += 1) await fixture.pass(15_000);
  t.is(certifier.svid.get(), first);
  await fixture.pass(15_000);
  t.is(certifier.svid.get(), null, "to its real end, which this clock does not show yet");
  fixture.wallOffsetMs = 0;
  await fixture.pass(15_000);
  await started(fixture, 2);
  t.not(certifier.svid.get(), null);
});

test("attack-18 a clock set beyond the end leaves no identity within a second", async (t) => {
  using fixture = new CertifierFixture();
  const certifier = fixture.start();
  await started(fixture);
  fixture.answer = () => Promise.reject(new RpcError("unavailable", "away"));
  fixture.wallOffsetMs = lifeMs;
  await fixture.pass(1000);
  t.is(certifier.svid.get(), null);
});

test("attack-18 a clock ahead by more than a life is told apart from a bad answer", async (t) => {
  using fixture = new CertifierFixture();
  fixture.wallOffsetMs = 20 * minuteMs;
  await refuses(t, fixture, fixture.start(), "clock_ahead");
});

test("attack-18 a certificate that is out of time and bad besides is bad", async (t) => {
  using fixture = new CertifierFixture();
  fixture.wallOffsetMs = 20 * minuteMs;
  fixture.answer = (request) =>
    answerTo(request, startMs, { signer: { ...issuer, key: newKey() } });
  await refuses(t, fixture, fixture.start(), "answer_invalid");
});

test("attack-20 no log line holds a key, a token or a request", async (t) => {
  using fixture = new CertifierFixture();
  fixture.write("token", "very-secret-token");
  fixture.answer = () => Promise.reject(new Error("away"));
  fixture.start();
  await until(() => fixture.logged.length > 0);
  t.notRegex(fixture.logged.join("\n"), /secret|PRIVATE/);
  t.is(fixture.failures("internal"), 1);
});

for (const [title, unlogged] of [
  ["that its issuer did not log", ({ entry }) => ({ checkpoint: "", index: 0, entry, path: none })],
  ["with the receipt of another", () => receiptFor(root.der, issuer.key)],
  ["whose log somebody else vouches for", ({ leaf }) => receiptFor(leaf, evilIssuer.key)],
] as readonly [string, (of: Receipt & { readonly leaf: Uint8Array }) => Receipt][]) {
  test(`a certificate ${title} is not used`, async (t) => {
    using fixture = new CertifierFixture();
    fixture.answer = (request) => {
      const answer = answerTo(request, fixture.truth.now());
      const leaf = answer.certificateChain[0]!;
      return { ...answer, receipt: unlogged({ ...answer.receipt, leaf }) };
    };
    await refuses(t, fixture, fixture.start(), "answer_not_logged");
  });
}
