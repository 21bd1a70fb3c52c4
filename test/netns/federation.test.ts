// Two meshes of two trust domains call each other: let in by name and by nothing else, followed when the other
// one's root is replaced, and parted when the federation is taken back.
import type { ExecutionContext } from "ava";
import { FederatedMesh, joinNodes } from "../kit/federated-meshes.ts";
import { netnsTest } from "../kit/netns-test.ts";

/** From an object's writing to what a sidecar does. */
const toldMsMax = 15_000;
const closedMsMax = 2_000;
/** By the sidecar that is called (it breaks off), or by the caller's own. */
const refused = /^50[23]$/;

async function until<T>(ask: () => Promise<T>, passes: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + toldMsMax;
  for (;;) {
    const answer = await ask();
    if (passes(answer) || performance.now() > deadline) return answer;
    await new Promise((next) => setTimeout(next, 100));
  }
}

async function assertCalls(
  t: ExecutionContext,
  from: FederatedMesh,
  to: FederatedMesh,
): Promise<void> {
  const expected = `By=${to.identity};URI=${from.identity}`;
  t.is(
    await until(
      () => from.call(),
      (answer) => answer === expected,
    ),
    expected,
  );
}

/** Who is not named is not let in, whoever vouches for him; who is named is, and so is his trust domain. */
async function assertNamed(t: ExecutionContext, a: FederatedMesh, b: FederatedMesh): Promise<void> {
  await b.admit();
  t.regex(
    await until(
      () => a.call(),
      (answer) => refused.test(answer),
    ),
    refused,
  );
  t.regex(
    await b.metrics(),
    /refusals_total\{direction="inbound",reason="foreign_identity_unnamed"\} [1-9]/,
  );
  await b.admit(`spiffe://${a.trustDomain}/ns/trade/sa/other`);
  t.regex(await a.call(), refused);
  await b.admit(a.identity);
  await assertCalls(t, a, b);
  await b.admit(`spiffe://${a.trustDomain}`);
  await assertCalls(t, a, b);
}

/** The other one's root is replaced while both call each other: nobody may notice. */
async function assertFollowed(
  t: ExecutionContext,
  a: FederatedMesh,
  b: FederatedMesh,
): Promise<void> {
  const rootsOf = async (): Promise<readonly string[]> => {
    const { roots } = await a.federation();
    return (roots as { fingerprint: string }[]).map(({ fingerprint }) => fingerprint);
  };
  const before = await rootsOf();
  const done = new AbortController();
  const loading = [a, b].map(async (mesh) => {
    const reports = [];
    while (!done.signal.aborted) reports.push(await mesh.load(5));
    return reports;
  });
  const begunAt = performance.now();
  await b.rotateRoot().finally(() => done.abort());
  const tookMs = performance.now() - begunAt;
  const reports = (await Promise.all(loading)).flat();
  const answered = reports.reduce((sum, each) => sum + each.answered, 0);
  t.deepEqual(
    reports.flatMap(({ failed }) => failed),
    [],
  );
  t.log(`root replaced in ${(tookMs / 1000).toFixed(1)} s, ${answered} requests, 0 failed`);
  t.true(answered > 100, `${answered} requests`);
  const after = await until(rootsOf, (roots) => roots.length === 1 && roots[0] !== before[0]);
  t.is(before.length, 1);
  t.is(after.length, 1);
  t.notDeepEqual(after, before);
  await assertCalls(t, a, b);
  await assertCalls(t, b, a);
}

/** What is no bundle of that trust domain changes nothing. */
async function assertNotPoisoned(
  t: ExecutionContext,
  a: FederatedMesh,
  b: FederatedMesh,
): Promise<void> {
  const own = JSON.parse(await a.bundle()) as Readonly<Record<string, unknown>>;
  await a.federate(b, { trustDomain: a.trustDomain, ...webProfile }, "own-domain");
  await a.federate(
    b,
    { trustDomain: "mesh-c.test", ...webProfile, trustDomainBundle: JSON.stringify(own) },
    "own-root",
  );
  const poisoned = await until(
    () => a.federation("mesh-c.test"),
    ({ fault }) => (fault ?? null) !== null,
  );
  t.deepEqual(poisoned["roots"], []);
  t.is((await a.federation(a.trustDomain))["trustDomain"], undefined, "its own is nobody else's");
  await assertCalls(t, a, b);
  await assertCalls(t, b, a);
  for (const name of ["own-domain", "own-root"]) await a.withdraw(name);
  await assertCalls(t, a, b);
}

const webProfile = { bundleEndpointProfile: { type: "https_web" } };

netnsTest(
  "two meshes call each other by foreign identity, and part when it is taken back",
  async (t) => {
    t.timeout(240_000);
    const a = await FederatedMesh.launch("a");
    t.teardown(() => a.stop());
    const b = await FederatedMesh.launch("b");
    t.teardown(() => b.stop());
    await joinNodes(a, b);
    await Promise.all([a.show(), b.show()]);
    await Promise.all([a.declare(b), b.declare(a)]);
    await Promise.all([a.admit(b.identity), b.admit(a.identity)]);
    t.is(
      await until(
        () => a.call(),
        (answer) => answer === "503",
      ),
      "503",
      "not federated yet",
    );

    await Promise.all([a.federate(b), b.federate(a)]);
    await assertCalls(t, a, b);
    await assertCalls(t, b, a);
    const seen = await until(
      () => a.federation(),
      ({ fetchedAt }) => fetchedAt !== null,
    );
    t.like(seen, { trustDomain: b.trustDomain, profile: "https_spiffe", fault: null });
    t.truthy(seen["fetchedAt"]);
    t.deepEqual(seen["told"], ["trade/trader"]);
    await assertNamed(t, a, b);

    await assertFollowed(t, a, b);
    await assertNotPoisoned(t, a, b);

    const holding = a.hold(30);
    await new Promise((next) => setTimeout(next, 1_000));
    await b.withdraw();
    const withdrawnAt = Date.now();
    const { bytes, endedAt } = await holding;
    t.true(bytes > 0, "the stream was open");
    t.log(`closed ${endedAt - withdrawnAt} ms after the federation was withdrawn`);
    t.true(endedAt - withdrawnAt < closedMsMax, `${endedAt - withdrawnAt} ms`);
    t.regex(await a.call(), refused, "whom it called lets it in no more");
    t.is(await b.call(), "503", "and calls it no more");
  },
);
