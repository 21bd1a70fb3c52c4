import test from "ava";
import * as fc from "fast-check";
import { fromTexts, toTexts } from "#/ca/rotation/record.ts";
import type { AuthorityRecord } from "#/ca/rotation/record.ts";
import { abort, advance, awaited, inForce, stage } from "#/ca/rotation/rotation.ts";
import type { Made } from "#/ca/rotation/rotation.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { decide } from "./decide.ts";
import type { RotationRequest } from "./decide.ts";
import { laggards } from "./laggards.ts";
import type { LivePods } from "./laggards.ts";
import type { Reading } from "./reading.ts";
import { stepOf } from "./reading.ts";

const pem = (name: string): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(name).toString("base64")}\n-----END CERTIFICATE-----\n`;
const begin: AuthorityRecord = {
  roots: [pem("root 0")],
  links: [],
  rootKey: "key of root 0",
  intermediate: pem("intermediate 0"),
  intermediateKey: "key of intermediate 0",
  rotation: null,
  last: null,
  pending: null,
  handled: "",
};
let made = 0;
const make = (record: AuthorityRecord, of: "root" | "intermediate"): Made => {
  made += 1;
  const root =
    of === "root"
      ? { certificate: pem(`root ${made}`), key: `key of root ${made}` }
      : inForce(record).root;
  return {
    root,
    intermediate: { certificate: pem(`intermediate ${made}`), key: `key of intermediate ${made}` },
    link: of === "root" ? pem(`link to ${made}`) : null,
  };
};
const fresh = { notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER };

test("advance takes a root through every step, and destroys the former key", (t) => {
  const staged = stage(begin, "root", make(begin, "root"), "a", 1);
  t.deepEqual(staged.roots.length, 2);
  t.is(staged.intermediate, begin.intermediate, "nobody issues under it yet");
  t.is(awaited(staged.rotation!), "acknowledged");
  const switched = advance(staged, 2);
  t.is(switched.roots[1], begin.roots[0], "the former root is still trusted");
  t.not(switched.intermediate, begin.intermediate);
  t.is(awaited(switched.rotation!), "leaves");
  const retired = advance(switched, 3);
  t.deepEqual(retired.roots, [switched.roots[0]!]);
  for (const key of ["key of root 0", "key of intermediate 0"]) {
    t.true(JSON.stringify(toTexts(switched)).includes(key));
    t.false(JSON.stringify(toTexts(retired)).includes(key));
  }
  t.is(awaited(retired.rotation!), "acknowledged");
  const done = advance(retired, 4);
  t.deepEqual(done.last, { id: "a", of: "root", end: "rotated", startedAt: 1, finishedAt: 4 });
  t.deepEqual(done.links, [begin.roots[0]!, staged.links[1]!]);
  t.deepEqual(fromTexts(toTexts(done)), done);
});

test("abort goes back from both steps that can be gone back from, and from no other", (t) => {
  const staged = stage(begin, "root", make(begin, "root"), "a", 1);
  const given = advance(abort(staged, 2), 3);
  t.deepEqual({ ...given, last: null }, begin);
  t.is(given.last?.end, "aborted");
  const back = abort(advance(staged, 2), 3);
  t.is(back.intermediate, begin.intermediate);
  t.is(back.roots.length, 2, "there are leaves under the root that is given up");
  t.is(awaited(back.rotation!), "leaves");
  t.deepEqual({ ...advance(advance(back, 4), 5), last: null }, begin);
  t.throws(() => abort(back, 4), { code: "rotation_refused", message: /being aborted already/ });
  const retired = advance(advance(staged, 2), 3);
  t.throws(() => abort(retired, 4), { code: "rotation_refused", message: /key is destroyed/ });
  t.throws(() => abort(begin, 4), { code: "rotation_refused", message: /none is under way/ });
  t.throws(() => stage(staged, "root", make(staged, "root"), "b", 2), {
    code: "rotation_refused",
  });
});

const request = (change: Partial<RotationRequest> = {}): RotationRequest => ({
  id: "r",
  at: 1_000,
  action: "rotate",
  of: "root",
  ...change,
});
const outside = { waiting: () => [], publishMs: 0 };
const facts = { ...outside, record: begin, intermediate: fresh, now: 1_000 };

test("decide takes a request up once, and refuses what cannot be", (t) => {
  t.like(decide({ ...facts, request: request() }).plan, { kind: "begin", of: "root", id: "r" });
  const handled = { ...begin, handled: "r" };
  t.deepEqual(decide({ ...facts, record: handled, request: request() }).plan, { kind: "rest" });
  const offline = decide({ ...facts, record: { ...begin, rootKey: null }, request: request() });
  t.like(offline, { plan: { kind: "rest" }, refusal: { id: "r" } });
  t.regex(offline.refusal?.message ?? "", /kept elsewhere/);
  const old = decide({ ...facts, request: request(), now: 700_000 });
  t.regex(old.refusal?.message ?? "", /ten minutes/);
  const none = decide({ ...facts, request: request({ action: "abort" }) });
  t.regex(none.refusal?.message ?? "", /none is under way/);
  const staged = stage(begin, "root", make(begin, "root"), "a", 1);
  const second = decide({ ...facts, record: staged, request: request() });
  t.regex(second.refusal?.message ?? "", /under way/);
  t.is(second.plan.kind, "write", "what is under way goes on");
});

test("decide replaces an intermediate by itself when a third of its life is left", (t) => {
  const intermediate = { notBefore: 0, notAfter: 300 };
  const at = (now: number, record = begin): string =>
    decide({ ...facts, record, request: null, intermediate, now }).plan.kind;
  t.is(at(200), "rest");
  t.is(at(201), "begin");
  t.is(at(201, { ...begin, rootKey: null }), "rest", "an offline root signs nothing by itself");
});

const pods: LivePods = {
  proxies: [{ pod: "a/1", uid: "u", lastSeen: 5 }],
  controllers: [{ name: "c", uid: "" }],
  components: [{ pod: "signet-system/i", uid: "i", lastSeen: null }],
};

test("laggards names who lags, since when, and what it last acknowledged", (t) => {
  const { rotation } = stage(begin, "root", make(begin, "root"), "a", 1);
  const switched = { ...rotation!, step: "switched" } as const;
  const proxy = { pod: "a/1", uid: "u", hasBundle: false, hasLeaf: false, since: 7, bundle: "v1" };
  const holder = { pod: "signet-system/i", uid: "i", hasLeaf: false, issuedAt: 3, notAfter: 50 };
  const seen = (of: typeof rotation, change: Partial<Reading> = {}): readonly Reading[] => [
    {
      controller: "c",
      uid: "x",
      step: stepOf(of!),
      proxies: [proxy],
      holders: [holder],
      ...change,
    },
  ];
  const told = (...given: Parameters<typeof laggards>): readonly string[] =>
    laggards(...given).map(({ name, reason, since }) => `${name} ${reason} ${since}`);
  t.deepEqual(told(rotation!, pods, [], 9), ["c step_not_taken 1", "a/1 not_connected 5"]);
  t.deepEqual(told(rotation!, pods, seen(rotation), 9), ["a/1 bundle_not_acknowledged 7"]);
  t.is(laggards(rotation!, pods, seen(rotation), 9)[0]?.bundle, "v1");
  t.deepEqual(told(rotation!, null, seen(rotation), 9), ["world world_unknown null"]);
  const old = seen(rotation, { step: "earlier" });
  t.is(told(rotation!, pods, old, 9).length, 2, "a reading of an earlier step counts for nothing");
  const other = seen(rotation, { proxies: [{ ...proxy, uid: "before" }] });
  t.deepEqual(told(rotation!, pods, other, 9), ["a/1 not_connected 5"], "a namesake is another");
  const leaves = ["a/1 leaf_not_renewed 7", "signet-system/i leaf_not_renewed 3"];
  t.deepEqual(told(switched, pods, seen(switched), 9), leaves);
  t.deepEqual(told(switched, pods, seen(switched), 50), leaves.slice(0, 1), "a leaf that ended");
  const renewed = seen(switched, {
    proxies: [proxy, { ...proxy, since: 8, hasLeaf: true }],
    holders: [holder, { ...holder, issuedAt: 4, hasLeaf: true }],
  });
  t.deepEqual(told(switched, pods, renewed, 9), [], "the newest stream speaks");
});

// A mesh in small: a store, two controllers that may be behind it, three sidecars. Whatever is killed,
// late or cut off in whatever order: any two sidecars can speak to one another after every single event.
const proxyCount = 3;
const controllers = ["c0", "c1"] as const;
const event = fc.oneof(
  // Often enough, or nothing ever gets far.
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("settle"), by: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("drive"),
      by: fc.nat(1),
      isKilled: fc.constant(false),
    }),
  },
  fc.record({ kind: fc.constant("drive"), by: fc.nat(1), isKilled: fc.boolean() }),
  fc.record({ kind: fc.constantFrom("follow", "crash"), by: fc.nat(1) }),
  fc.record({ kind: fc.constantFrom("update", "cut", "restart"), proxy: fc.nat(proxyCount - 1) }),
  fc.record({
    kind: fc.constantFrom("connect", "renew", "move", "move"),
    proxy: fc.nat(proxyCount - 1),
    by: fc.nat(1),
  }),
  fc.record({
    kind: fc.constant("ask"),
    action: fc.constantFrom("rotate", "rotate", "abort"),
    of: fc.constantFrom("root", "intermediate"),
  }),
) as fc.Arbitrary<ModelEvent>;

type ModelEvent =
  | { readonly kind: "drive"; readonly by: number; readonly isKilled: boolean }
  | { readonly kind: "follow" | "crash" | "settle"; readonly by: number }
  | { readonly kind: "update" | "cut" | "restart"; readonly proxy: number }
  | { readonly kind: "connect" | "renew" | "move"; readonly proxy: number; readonly by: number }
  | {
      readonly kind: "ask";
      readonly action: RotationRequest["action"];
      readonly of: RotationRequest["of"];
    };

class SmallMesh {
  texts = toTexts(begin);
  now = 1;
  request: RotationRequest | null = null;
  readonly taken: (AuthorityRecord | null)[] = [begin, begin];
  readonly proxies = Array.from({ length: proxyCount }, () => ({
    bundle: begin.roots,
    root: begin.roots[0]!,
    intermediate: begin.intermediate,
    at: 0 as number | null,
    uid: 0,
  }));

  get record(): AuthorityRecord {
    return fromTexts(this.texts);
  }

  happen(event: ModelEvent): void {
    this.now += 1;
    switch (event.kind) {
      case "drive":
        return this.#drive(event.by, event.isKilled);
      case "follow":
        this.taken[event.by] = this.record;
        return;
      case "settle":
        this.happen({ kind: "follow", by: event.by });
        for (let proxy = 0; proxy < proxyCount; proxy += 1) {
          this.happen({ kind: "connect", proxy, by: event.by });
          this.happen({ kind: "update", proxy });
        }
        return;
      case "crash":
        this.taken[event.by] = null;
        for (const proxy of this.proxies) if (proxy.at === event.by) proxy.at = null;
        return;
      case "ask": {
        const { action, of } = event;
        this.request = { id: `r${this.now}`, at: this.now, action, of };
        return;
      }
      default:
        return this.#sidecar(event, this.proxies[event.proxy]!);
    }
  }

  #sidecar(
    event: Extract<ModelEvent, { readonly proxy: number }>,
    proxy: SmallMesh["proxies"][number],
  ): void {
    switch (event.kind) {
      case "cut":
        proxy.at = null;
        return;
      case "connect":
        if (this.taken[event.by] !== null) proxy.at = event.by;
        return;
      case "move":
        this.happen({ kind: "connect", proxy: event.proxy, by: event.by });
        return this.happen({ kind: "update", proxy: event.proxy });
      case "update": {
        const of = proxy.at === null ? null : this.taken[proxy.at]!;
        if (of !== null) proxy.bundle = of.roots;
        return;
      }
      case "renew": {
        const by = this.taken[event.by];
        // It believes in an answer only as far as it trusts.
        if (by === null || by === undefined || !proxy.bundle.includes(by.roots[0]!)) return;
        proxy.root = by.roots[0]!;
        proxy.intermediate = by.intermediate;
        return;
      }
      case "restart":
        // It begins with what links lead to from its pins: what is published now.
        proxy.uid += 1;
        proxy.bundle = this.record.roots;
        proxy.root = this.record.roots[0]!;
        proxy.intermediate = this.record.intermediate;
        return;
      default:
        event satisfies never;
    }
  }

  #drive(by: number, isKilled: boolean): void {
    const seen = this.taken[by];
    if (seen === null || seen === undefined) return;
    const before = JSON.stringify(seen);
    const waiting = () => laggards(seen.rotation!, this.#world(), this.#readings(), this.now);
    const { plan } = decide({
      publishMs: 0,
      record: seen,
      request: this.request,
      intermediate: fresh,
      waiting,
      now: this.now,
    });
    if (plan.kind !== "write" && plan.kind !== "begin") return;
    const next =
      plan.kind === "write"
        ? plan.record
        : {
            ...stage(seen, plan.of, make(seen, plan.of), plan.id, this.now),
            handled: plan.handled,
          };
    // Under the version that was read; killed before or after the write.
    if (isKilled && this.now % 2 === 0) return this.happen({ kind: "crash", by });
    if (before === JSON.stringify(this.record)) this.texts = toTexts(next);
    if (isKilled) return this.happen({ kind: "crash", by });
    this.taken[by] = this.record;
  }

  #world(): LivePods {
    return {
      proxies: this.proxies.map(({ uid }, index) => ({
        pod: `p${index}`,
        uid: String(uid),
        lastSeen: null,
      })),
      controllers: controllers.map((name) => ({ name, uid: "" })),
      components: [],
    };
  }

  #readings(): readonly Reading[] {
    return this.taken.flatMap((record, by) => {
      if (record === null || record.rotation === null) return [];
      const proxies = this.proxies.flatMap((proxy, index) =>
        proxy.at !== by
          ? []
          : [
              {
                pod: `p${index}`,
                uid: String(proxy.uid),
                hasBundle: proxy.bundle.join() === record.roots.join(),
                hasLeaf: proxy.intermediate === record.intermediate,
                since: 1,
                bundle: null,
              },
            ],
      );
      const step = stepOf(record.rotation);
      return [{ controller: controllers[by]!, uid: "", step, proxies, holders: [] }];
    });
  }

  faults(): readonly string[] {
    const { record } = this;
    const { root, intermediate } = inForce(record);
    const isWhole = root.key !== null && intermediate.key !== "" && record.roots.length <= 2;
    const deaf = this.proxies.flatMap(({ bundle }, here) =>
      this.proxies.flatMap(({ root: shown }, there) =>
        bundle.includes(shown) ? [] : [`p${here} does not trust p${there}`],
      ),
    );
    return isWhole ? deaf : [...deaf, "the record is not whole"];
  }
}

test("whoever is killed or late, in any order, every sidecar trusts every other, and the end is reached", (t) => {
  const ends = new Set<string>();
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const mesh = new SmallMesh();
      for (const each of events) {
        mesh.happen(each);
        const faults = mesh.faults();
        if (faults.length > 0) throw new Error(`${JSON.stringify(each)}: ${faults.join(", ")}`);
      }
      // Everything is well again: what is under way comes to its end.
      for (let round = 0; round < 8; round += 1) {
        for (const by of [0, 1]) mesh.happen({ kind: "follow", by });
        for (let proxy = 0; proxy < proxyCount; proxy += 1) {
          mesh.happen({ kind: "connect", proxy, by: round % 2 });
          mesh.happen({ kind: "update", proxy });
          mesh.happen({ kind: "renew", proxy, by: round % 2 });
        }
        mesh.happen({ kind: "drive", by: 0, isKilled: false });
      }
      const { record } = mesh;
      t.is(record.rotation, null);
      t.is(record.roots.length, 1);
      ends.add(`${record.last?.of} ${record.last?.end}`);
    }),
    fuzzOptions(t, 4_000),
  );
  t.deepEqual([...ends].sort().slice(0, 4), [
    "intermediate aborted",
    "intermediate rotated",
    "root aborted",
    "root rotated",
  ]);
});
