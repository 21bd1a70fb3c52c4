import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import type { FederatedBundle } from "#/api/discovery.ts";
import type { Federation } from "#/api/federation.ts";
import { judgeFederation } from "#/api/federation.ts";
import { writeBundleDocument } from "#/identity/bundle-document.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { silentLog } from "#/lib/log.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { FederationError } from "./federation-error.ts";
import { FederationKeeper, refreshMaxMs, refreshMinMs, refreshMs } from "./keeper.ts";
import { openBundleStore } from "./store.ts";

const own = parseTrustDomain("cluster.local");
const partner = parseTrustDomain("partner.mesh");
const [ours, first, second] = await Promise.all(
  ["o", "a", "b"].map((name) => createAuthority(name)),
);

const documentOf = (roots: readonly Uint8Array[], sequence: number): string =>
  JSON.stringify({
    ...(JSON.parse(
      writeBundleDocument({ roots, jwtAuthorities: [], since: 0, refreshHintS: 60 }),
    ) as object),
    spiffe_sequence: sequence,
  });

function federationWith(trustDomainBundle: string | undefined): Federation {
  const verdict = judgeFederation(
    {
      trustDomain: partner,
      bundleEndpointURL: "https://partner.example/bundle",
      bundleEndpointProfile: { type: "https_web" },
      trustDomainBundle,
    },
    own,
  );
  if (verdict.kind === "refused") throw new Error(verdict.fault);
  return verdict.federation;
}

class Fixture implements Disposable {
  readonly folder: string;
  readonly clock = new ManualClock(1_000_000);
  /** What was told, as roots of the partner; null: it is awaited. */
  readonly told: (readonly Uint8Array[] | null)[] = [];
  readonly outcomes: string[] = [];
  /** Roots that the endpoint was to be believed by, at each fetch. */
  readonly believed: (readonly Uint8Array[])[] = [];
  answer: string | Error = new FederationError("endpoint_unreachable", "nobody is there");
  keeper: FederationKeeper;

  constructor(t: ExecutionContext) {
    this.folder = mkdtempSync(path.join(tmpdir(), "signet-federation-"));
    t.teardown(() => rmSync(this.folder, { recursive: true }));
    this.keeper = this.start();
  }

  /** Another process on the same folder. */
  start(): FederationKeeper {
    this.keeper = new FederationKeeper({
      fetch: async (_federation, roots) => {
        this.believed.push(roots);
        if (typeof this.answer === "string") return this.answer;
        throw this.answer;
      },
      store: openBundleStore(this.folder),
      own: () => ({ trustDomain: own, roots: [ours!.root] }),
      tell: (bundles: readonly FederatedBundle[], awaited) => {
        const bundle = bundles.find(({ trustDomain }) => trustDomain === partner);
        this.told.push(awaited.has(partner) ? null : (bundle?.roots ?? []));
      },
      fetched: (_trustDomain, outcome) => this.outcomes.push(outcome),
      clock: this.clock,
      random: () => 0.5,
      log: silentLog,
    });
    return this.keeper;
  }

  /** Lets what was asked be answered. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  [Symbol.dispose](): void {
    this.keeper[Symbol.dispose]();
  }
}

test("a bundle is fetched at once, told, and fetched again as it asks", async (t) => {
  using it = new Fixture(t);
  it.answer = documentOf([first!.root], 1);
  const federation = federationWith(undefined);
  it.keeper.follow([federation]);
  t.deepEqual(it.told, [null], "awaited: another replica may have told it");
  await it.settle();
  t.deepEqual(it.told.at(-1), [first!.root]);
  it.answer = documentOf([first!.root, second!.root], 2);
  await it.pass(59_999);
  t.deepEqual(it.outcomes, ["ok"]);
  await it.pass(1);
  t.deepEqual(it.told.at(-1), [first!.root, second!.root]);
  t.deepEqual(it.believed, [[], [first!.root]], "by what was held then");
});

test("the last good bundle stays when a fetch fails, and when a document is poisoned", async (t) => {
  using it = new Fixture(t);
  it.answer = documentOf([first!.root], 5);
  it.keeper.follow([federationWith(undefined)]);
  await it.settle();
  const told = it.told.length;
  const bad = [
    new FederationError("endpoint_untrusted", "it is somebody else"),
    new Error("fault"),
    documentOf([second!.root], 4),
    documentOf([ours!.root], 6),
    "<html>",
  ];
  for (const answer of bad) {
    it.answer = answer;
    await it.pass(60_000);
  }
  t.deepEqual(new Set(it.told.slice(told).map((roots) => roots?.length)), new Set([1]));
  t.deepEqual(it.told.at(-1), [first!.root]);
  t.deepEqual(
    new Set(it.outcomes),
    new Set(["ok", "endpoint_untrusted", "endpoint_unreachable", "bundle_refused"]),
  );
  t.is(it.keeper.state(partner)?.fault?.reason, "BundleRefused");
  it.answer = documentOf([second!.root], 7);
  await it.pass(60_000);
  t.deepEqual(it.told.at(-1), [second!.root]);
  t.is(it.keeper.state(partner)?.fault, null);
});

test("a first bundle holds until the endpoint was asked, and only if it is nobody else's", async (t) => {
  using it = new Fixture(t);
  it.keeper.follow([federationWith(documentOf([first!.root], 1))]);
  t.deepEqual(it.told.at(-1), [first!.root]);
  await it.settle();
  t.deepEqual(it.believed, [[first!.root]]);
  t.deepEqual(it.told.at(-1), [first!.root]);
  using poisoned = new Fixture(t);
  poisoned.keeper.follow([federationWith(documentOf([ours!.root], 1))]);
  t.deepEqual(poisoned.told.at(-1), [], "nobody is believed");
});

test("what was fetched outlives a restart, and a rewound endpoint does not take it back", async (t) => {
  using it = new Fixture(t);
  const federation = federationWith(documentOf([first!.root], 1));
  it.answer = documentOf([second!.root], 9);
  it.keeper.follow([federation]);
  await it.settle();
  it.keeper[Symbol.dispose]();
  it.answer = documentOf([first!.root], 1);
  it.start().follow([federation]);
  t.deepEqual(it.told.at(-1), [second!.root], "before anything was fetched");
  await it.settle();
  t.deepEqual(it.told.at(-1), [second!.root]);
  t.is(it.outcomes.at(-1), "bundle_refused");
});

test("a withdrawn federation is told at once, forgotten, and not fetched any more", async (t) => {
  using it = new Fixture(t);
  it.answer = documentOf([first!.root], 1);
  it.keeper.follow([federationWith(undefined)]);
  await it.settle();
  t.is(readdirSync(it.folder).length, 1);
  it.keeper.follow([]);
  t.deepEqual(it.told.at(-1), []);
  t.deepEqual(readdirSync(it.folder), []);
  const { length } = it.outcomes;
  await it.pass(10_000_000);
  t.is(it.outcomes.length, length);
});

test("a fetch that was under way when the federation was withdrawn changes nothing", async (t) => {
  using it = new Fixture(t);
  it.answer = documentOf([first!.root], 1);
  it.keeper.follow([federationWith(undefined)]);
  it.keeper.follow([]);
  await it.settle();
  t.deepEqual(it.told.at(-1), []);
  t.deepEqual(readdirSync(it.folder), []);
});

test("an empty bundle revokes all that there was", async (t) => {
  using it = new Fixture(t);
  it.answer = documentOf([first!.root], 1);
  it.keeper.follow([federationWith(undefined)]);
  await it.settle();
  it.answer = '{"keys":[],"spiffe_sequence":2}';
  await it.pass(60_000);
  t.deepEqual(it.told.at(-1), []);
});

test("after a failure it is asked again soon, later each time", async (t) => {
  using it = new Fixture(t);
  it.keeper.follow([federationWith(undefined)]);
  await it.settle();
  for (let second = 0; second < 600; second += 1) await it.pass(1_000);
  t.true(
    it.outcomes.length > 10 && it.outcomes.length < 60,
    `${it.outcomes.length} in ten minutes`,
  );
});

test("refreshMs keeps to what the document asks for, within limits", (t) => {
  t.is(refreshMs({ refreshHintS: 60 }), 60_000);
  t.is(refreshMs({ refreshHintS: 1 }), refreshMinMs);
  t.is(refreshMs({ refreshHintS: 1_000_000 }), refreshMaxMs);
  t.is(refreshMs({ refreshHintS: null }), 300_000);
  t.is(refreshMs({ refreshHintS: 0 }), 300_000);
  t.is(refreshMs(null), 300_000);
});
