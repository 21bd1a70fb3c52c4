import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { golden } from "#/test/kit/golden.ts";
import type { KubernetesObject, Mesh, Pod } from "../mesh.ts";
import { createPrinter } from "../print.ts";
import type { CommandContext } from "./context.ts";
import { identityList, identityResume, identitySuspend } from "./identity.ts";

const NOW = Date.UTC(2026, 10, 21, 8, 5, 0);
const id = (namespace: string): string => `spiffe://cluster.local/ns/${namespace}/sa/${namespace}`;
const pod = (namespace: string, name: string, isMeshed = true): Pod => ({
  namespace,
  name,
  address: "10.77.1.1",
  serviceAccount: namespace,
  phase: "Running",
  labels: {},
  isReady: true,
  isMeshed,
});
const pods = [
  pod("app-a", "a-1"),
  pod("app-b", "b-1"),
  pod("app-b", "b-2"),
  pod("outside", "o-1", false),
];
const certificate = (namespace: string, name: string, leftMs: number): object => ({
  index: 0,
  id: id(namespace),
  namespace,
  pod: name,
  issuedAt: NOW - 60_000,
  notBefore: NOW - 120_000,
  notAfter: NOW + leftMs,
  serial: "01",
  issuerSerial: "02",
  chain: [],
});

/** A mesh whose sidecars know of every change but those that are `deaf`. */
class FakeMesh {
  readonly objects: KubernetesObject[] = [];
  deaf: readonly string[] = [];

  readonly mesh = {
    place: "this machine",
    trustDomain: async () => "cluster.local",
    pods: async () => pods,
    objects: async () => this.objects,
    apply: async ([object]: readonly KubernetesObject[]) => {
      const { metadata } = object!;
      this.#drop(metadata.name);
      const creationTimestamp = new Date(NOW - 90_000).toISOString();
      this.objects.push({ ...object!, metadata: { ...metadata, creationTimestamp } as never });
    },
    remove: async (gone: readonly KubernetesObject[]) => {
      for (const { metadata } of gone) this.#drop(metadata.name);
    },
    inspect: async (path: string) => {
      if (path === "/v1/certificates") {
        return [
          { certificates: [certificate("app-a", "a-1", 600_000), certificate("app-b", "b-1", -1)] },
        ];
      }
      const suspensions = this.objects.map((each) => each["spec"]);
      const told = pods.map(({ namespace, name }) => `${namespace}/${name}`);
      return [{ suspensions, told: told.filter((each) => !this.deaf.includes(each)) }];
    },
  } as unknown as Mesh;

  #drop(name: string): void {
    const at = this.objects.findIndex(({ metadata }) => metadata.name === name);
    if (at >= 0) this.objects.splice(at, 1);
  }
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  command: typeof identityList,
  { mesh }: FakeMesh,
  words: readonly string[] = [],
  options: CommandContext["options"] = {},
  format: "table" | "json" = "table",
): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const clock = new ManualClock(NOW);
  // Whoever waits need not: each wait passes at once, by as much.
  const after = (delayMs: number, callback: () => void): (() => void) => {
    clock.advance(delayMs);
    queueMicrotask(callback);
    return () => {};
  };
  const context: CommandContext = {
    print: createPrinter(
      format,
      { LANG: "C.UTF-8" },
      { write: (text) => out.push(text) },
      { write: (text) => err.push(text) },
    ),
    clock: { now: () => NOW, monotonic: () => clock.monotonic(), after },
    signal: new AbortController().signal,
    names: { prefix: "none", stateDirectory: "/nonexistent" },
    repository: "/nonexistent",
    words: { identity: words },
    options,
  };
  const code = await command(context, mesh);
  return { code, out: out.join(""), err: err.join("") };
}

const goldenOf = (name: string, actual: string): string =>
  golden(new URL(`../golden/identity-${name}.txt`, import.meta.url), actual);

test("identity list shows who may speak, for how long, and who may not and why", async (t) => {
  const fake = new FakeMesh();
  await run(identitySuspend, fake, ["app-b/app-b"], { reason: "token found in a log" });
  const { out, code } = await run(identityList, fake);
  t.is(code, 0);
  t.is(out, goldenOf("list", out));
  const suspended = await run(identityList, fake, [], { suspended: true }, "json");
  const { identities } = JSON.parse(suspended.out) as { identities: { identity: string }[] };
  t.deepEqual(
    identities.map(({ identity }) => identity),
    [id("app-b")],
  );
  const elsewhere = await run(identityList, fake, [], { namespace: "app" });
  t.is(elsewhere.out, "no identity is there that is asked for\n");
});

test("identity suspend makes the object, waits for the sidecars, and says whom it hit", async (t) => {
  const fake = new FakeMesh();
  const said = await run(identitySuspend, fake, [id("app-b")], { reason: "  stolen " });
  t.is(said.code, 0);
  t.is(said.out + said.err, goldenOf("suspend", said.out + said.err));
  const [object] = fake.objects;
  t.is(object?.metadata.name, "app-b.app-b.cluster.local");
  t.deepEqual(object?.["spec"], { identity: id("app-b"), reason: "stolen" });
  await run(identitySuspend, fake, ["app-b/app-b"], { reason: "another" });
  t.is(fake.objects.length, 1, "twice is once, with another reason");
});

test("identity suspend names the sidecars that do not say that they know, and exits with 1", async (t) => {
  const fake = new FakeMesh();
  fake.deaf = ["app-a/a-1"];
  const said = await run(identitySuspend, fake, ["app-b/app-b"], { reason: "stolen" });
  t.is(said.code, 1);
  t.is(said.out + said.err, goldenOf("suspend-unaware", said.out + said.err));
  // Its own sidecars are told nothing more, and nobody waits for them.
  fake.deaf = ["app-b/b-1", "app-b/b-2"];
  const own = await run(identitySuspend, fake, ["app-b/app-b"], { reason: "stolen" });
  t.is(own.code, 0);
  const other = await run(identitySuspend, fake, ["app-a/app-a"], { reason: "stolen" }, "json");
  t.deepEqual(JSON.parse(other.out), {
    identity: id("app-a"),
    isSuspended: true,
    name: "app-a.app-a.cluster.local",
    reason: "stolen",
    sidecars: 0,
    unaware: [],
    elapsedMs: 0,
  });
});

test("identity resume takes every suspension of it back, and again changes nothing", async (t) => {
  const fake = new FakeMesh();
  await run(identitySuspend, fake, ["app-b/app-b"], { reason: "stolen" });
  fake.objects.push({ ...fake.objects[0]!, metadata: { name: "by-hand" } });
  const said = await run(identityResume, fake, ["app-b/app-b"]);
  t.is(said.code, 0);
  t.is(said.out + said.err, goldenOf("resume", said.out + said.err));
  t.deepEqual(fake.objects, []);
  t.regex((await run(identityResume, fake, ["app-b/app-b"])).out, /was not suspended/);
});

const refused: readonly [string, string, CommandContext["options"], RegExp, RegExp][] = [
  ["without a reason", "app-b/app-b", {}, /no reason is given/, /--reason/],
  ["with a reason of blanks", "app-b/app-b", { reason: " " }, /no reason is given/, /--reason/],
  [
    "with a book for a reason",
    "app-b/app-b",
    { reason: "x".repeat(1025) },
    /1025 characters/,
    /1024/,
  ],
  [
    "the controller",
    "signet-system/signet-controller",
    { reason: "x" },
    /the mesh's own/,
    /uninstall/,
  ],
  [
    "the injector",
    "spiffe://cluster.local/ns/signet-system/sa/signet-injector",
    { reason: "x" },
    /the mesh's own/,
    /uninstall/,
  ],
  ["nobody", "app-c/app-c", { reason: "x" }, /no pod has that identity/, /--in-advance/],
  ["a namespace", "app-b", { reason: "x" }, /Cannot tell whom "app-b" means/, /identity list/],
  ["a pod's path", "a/b/c", { reason: "x" }, /too many parts/, /identity list/],
  ["what is no identity", "spiffe://", { reason: "x" }, /Cannot tell whom/, /identity list/],
];
for (const [what, words, options, message, next] of refused) {
  test(`identity suspend refuses ${what}, and says what to do`, async (t) => {
    const fake = new FakeMesh();
    const error = await t.throwsAsync(run(identitySuspend, fake, [words], options), { message });
    t.regex((error as { next?: string } | undefined)?.next ?? "", next);
    t.deepEqual(fake.objects, []);
  });
}

test("identity suspend takes an identity that no pod has, in advance", async (t) => {
  const fake = new FakeMesh();
  const long = `${"a".repeat(63)}/${"b".repeat(253)}`;
  for (const identity of ["app-c/app-c", long, "spiffe://cluster.local/some/other/form"]) {
    const options = { reason: "x", "in-advance": true } as const;
    t.is((await run(identitySuspend, fake, [identity], options)).code, 0);
  }
  const names = fake.objects.map(({ metadata }) => metadata.name);
  t.is(names[0], "app-c.app-c.cluster.local");
  for (const name of names.slice(1)) t.regex(name, /^identity-[0-9a-f]{32}$/);
});
