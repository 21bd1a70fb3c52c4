import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { Controller } from "../app.ts";
import { makePending } from "#/ca/rotation/offline.ts";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import type { MeshError } from "#/lib/errors.ts";
import { Site, added, podObject, ready, synced } from "#/test/kit/controller-site.ts";
import { LiveSidecar } from "#/test/kit/live-sidecar.ts";
import { until } from "#/test/kit/controller-server.ts";

interface View {
  readonly roots: readonly { readonly fingerprint: string }[];
  readonly rotation: {
    readonly id: string;
    readonly step: string;
    readonly isAborting: boolean;
    readonly waiting: readonly { readonly name: string; readonly reason: string }[];
  } | null;
  readonly last: { readonly id: string; readonly end: string } | null;
  readonly refusal: { readonly id: string; readonly message: string } | null;
  readonly pending: string | null;
}

/** A pod with a sidecar that no controller ever sees. */
const silentPod = {
  ...podObject,
  metadata: {
    name: "a-2",
    namespace: "app-a",
    uid: "uid-2",
    annotations: { "signet.dev/status": "injected" },
  },
};

/** A site whose controller can be killed, and whose world can be another one. */
class Bench implements AsyncDisposable {
  readonly site: Site;
  controller!: Controller;
  environment: Record<string, string> = {};
  #stack = new AsyncDisposableStack();

  private constructor(site: Site) {
    this.site = this.#stack.use(site);
    this.#stack.defer(() => this.controller?.[Symbol.asyncDispose]());
  }

  static async create(...pods: readonly object[]): Promise<Bench> {
    const bench = new Bench(await Site.create());
    await bench.world(...pods);
    await bench.start();
    return bench;
  }

  async world(...pods: readonly object[]): Promise<void> {
    await this.site.stopWorld();
    await this.site.serveWorld(...pods.map(added), synced);
  }

  async start(): Promise<void> {
    this.controller = await this.site.start(this.environment);
    await ready(this.site);
  }

  async restart(): Promise<void> {
    await this.controller[Symbol.asyncDispose]();
    await this.start();
  }

  file(name: string): string {
    return path.join(this.site.folder, "ca", name);
  }

  ask(id: string, action: string, of = "root", certificate?: string): void {
    const request = { id, at: Date.now(), action, of, certificate };
    writeFileSync(this.file("request.json"), JSON.stringify(request));
  }

  async view(): Promise<View> {
    return JSON.parse((await this.site.get("/v1/authority")).body) as View;
  }

  async until(test: (view: View) => boolean): Promise<View> {
    const end = performance.now() + 20_000;
    for (;;) {
      const view = await this.view();
      if (test(view)) return view;
      if (performance.now() > end)
        throw new Error(`It did not come to be: ${JSON.stringify(view)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  sidecar(): Promise<LiveSidecar> {
    const pins = [fingerprint(this.site.root)];
    const bundleFile = this.file("root.crt");
    return LiveSidecar.start({
      site: this.site,
      controller: () => this.controller,
      bundleFile,
      pins,
    });
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#stack.disposeAsync();
  }
}

/** It is the only one that is waited for. */
const holdsAt = (step: string) => (view: View) =>
  view.rotation?.step === step &&
  view.rotation.waiting.map(({ name }) => name).join() === "app-a/a-2";

test("a root is rotated by one request, with the controller killed at every step, and a sidecar that lags is named", async (t) => {
  await using bench = await Bench.create(podObject, silentPod);
  using sidecar = await bench.sidecar();
  await until(() => sidecar.discovery.snapshot.get().synced);
  const before = sidecar.serial();
  const former = fingerprint(bench.site.root);
  const formerKey = readFileSync(bench.file("root.key"), "utf8");

  bench.ask("one", "rotate");
  const staged = await bench.until(holdsAt("staged"));
  t.like(staged.rotation?.waiting, [{ name: "app-a/a-2", reason: "not_connected" }]);
  t.is(staged.roots.length, 2);
  await until(() => sidecar.roots().length === 2);
  t.is(sidecar.serial(), before, "nobody issues under the next root yet");

  // Each time it is killed the one that takes its place goes on where it was.
  await bench.restart();
  t.like((await bench.until(holdsAt("staged"))).rotation, { id: "one" });
  await bench.world(podObject);
  await bench.until(({ rotation }) => rotation?.step === "switched");
  await bench.restart();
  t.like((await bench.view()).rotation, { id: "one", step: "switched" });
  await bench.world(podObject, silentPod);
  await bench.until(holdsAt("switched"));
  await until(() => sidecar.serial() !== before, 20_000);
  t.is(sidecar.roots().length, 2, "the former root is trusted until everybody has left it");
  t.notThrows(() => sidecar.prove(sidecar.certifier.roots().slice(0, 1)));

  await bench.world(podObject);
  await bench.until(({ rotation, last }) => rotation?.step === "retired" || last !== null);
  await bench.restart();
  const done = await bench.until(({ last }) => last !== null);
  t.like(done, { rotation: null, last: { id: "one", end: "rotated" } });
  await until(() => sidecar.roots().length === 1);
  t.not(sidecar.roots()[0], former);
  t.deepEqual(
    sidecar.roots(),
    done.roots.map((root) => root.fingerprint),
  );

  // A new key, and nothing is left of the former one; who was pinned to it still finds the way.
  const stored = JSON.parse(readFileSync(bench.file("authorities.json"), "utf8")) as Record<
    string,
    string
  >;
  t.false(JSON.stringify(Object.values(stored)).includes(JSON.stringify(formerKey).slice(1, -1)));
  t.deepEqual(
    parsePem(readFileSync(bench.file("bundle.pem"), "utf8")).map(fingerprint),
    sidecar.roots(),
  );
  const pins = [former];
  const bundleFile = bench.file("bundle.pem");
  const { site } = bench;
  using restarted = await LiveSidecar.start({
    site,
    controller: () => bench.controller,
    bundleFile,
    pins,
  });
  await until(() => restarted.discovery.snapshot.get().synced);
  t.deepEqual(restarted.roots(), sidecar.roots());
  await bench.restart();
  t.like(await bench.view(), { rotation: null, refusal: null }, "it is not begun anew");
});

test("an intermediate is rotated under the same root, and a rotation can be turned back", async (t) => {
  await using bench = await Bench.create(podObject, silentPod);
  using sidecar = await bench.sidecar();
  await until(() => sidecar.discovery.snapshot.get().synced);
  const before = sidecar.serial();
  bench.ask("two", "abort");
  const refused = await bench.until(({ refusal }) => refusal !== null);
  t.regex(refused.refusal?.message ?? "", /none is under way/);

  bench.ask("three", "rotate", "intermediate");
  await bench.until(holdsAt("switched"));
  await until(() => sidecar.serial() !== before, 20_000);
  const middle = sidecar.serial();
  t.deepEqual(sidecar.roots(), [fingerprint(bench.site.root)]);
  bench.ask("four", "rotate", "root");
  t.regex(
    (await bench.until(({ refusal }) => refusal !== null)).refusal?.message ?? "",
    /under way/,
  );
  bench.ask("meant", "abort", "root");
  const other = await bench.until(({ refusal }) => refusal?.message.includes("abort") === true);
  t.regex(other.refusal?.message ?? "", /it is the intermediate that is being rotated/);
  bench.ask("five", "abort", "intermediate");
  await bench.until((view) => holdsAt("switched")(view) && view.rotation?.isAborting === true);
  await until(() => sidecar.serial() !== middle, 20_000);
  await bench.world(podObject);
  const done = await bench.until(({ last }) => last !== null);
  t.like(done.last, { id: "three", end: "aborted" });
  t.notThrows(() => sidecar.prove([bench.site.root]));
});

test("what another puts into the folder is taken up without a restart, and what is broken is not", async (t) => {
  await using other = await Site.create();
  await using bench = await Bench.create(podObject);
  using sidecar = await bench.sidecar();
  await until(() => sidecar.discovery.snapshot.get().synced);
  const name = "intermediate.crt";
  const good = readFileSync(bench.file(name));
  writeFileSync(bench.file(name), readFileSync(path.join(other.folder, "ca", name)));
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  t.is((await bench.view()).roots.length, 1);
  t.is((await bench.site.issue(bench.controller)).chain.length, 3, "the last good one issues on");
  writeFileSync(bench.file(name), good);
  const both = Buffer.concat([
    readFileSync(bench.file("root.crt")),
    readFileSync(path.join(other.folder, "ca", "root.crt")),
  ]);
  writeFileSync(bench.file("root.crt"), both);
  await until(() => sidecar.roots().length === 2, 10_000);
  t.pass();
});

test("keys are wrapped where they are stored, and a controller without what they were wrapped under does not start", async (t) => {
  await using bench = await Bench.create();
  bench.environment = { SIGNET_KEY_ENCRYPTION_KEY: "ab".repeat(32) };
  await bench.restart();
  bench.ask("six", "rotate");
  await bench.until(({ last }) => last?.end === "rotated");
  const text = readFileSync(bench.file("authorities.json"), "utf8");
  t.false(text.includes("PRIVATE KEY"));
  t.like(JSON.parse((await bench.site.get("/v1/authority")).body) as object, {
    areKeysWrapped: true,
  });
  await bench.world(podObject);
  await bench.restart();
  t.is((await bench.site.issue(bench.controller, undefined, rootOf(bench))).chain.length, 3);
  await bench.controller[Symbol.asyncDispose]();
  bench.environment = {};
  await t.throwsAsync(bench.start(), {
    code: "authority_unreadable",
    message: /Cannot use file ".*authorities\.json": .*a key that is not given/,
  });
  bench.environment = { SIGNET_KEY_ENCRYPTION_KEY: "cd".repeat(32) };
  await t.throwsAsync(bench.start(), { message: /wrapped under another key/ });
  bench.environment = { SIGNET_KEY_ENCRYPTION_FILE: bench.file("none") };
  const missing = await t.throwsAsync(bench.start(), {
    code: "authority_sealed",
    message: /Cannot read the key that keys are wrapped under, ".*\/none": there is no such file$/,
  });
  t.regex((missing as unknown as MeshError).next, /create secret generic NAME --from-file=key/);
  writeFileSync(bench.file("kek"), `${"cd".repeat(32)}\n${"ab".repeat(32)}\n`);
  bench.environment = { SIGNET_KEY_ENCRYPTION_FILE: bench.file("kek") };
  await t.notThrowsAsync(bench.start());
});

const rootOf = (bench: Bench): Uint8Array =>
  parsePem(readFileSync(bench.file("bundle.pem"), "utf8"))[0]!;

test("an intermediate of an offline root: its request goes out, its certificate comes in, and no other is taken", async (t) => {
  await using bench = await Bench.create(podObject);
  using sidecar = await bench.sidecar();
  await until(() => sidecar.discovery.snapshot.get().synced);
  const [before, key] = [sidecar.serial(), readFileSync(bench.file("root.key"))];
  rmSync(bench.file("root.key"));
  await bench.restart();
  bench.ask("a", "rotate", "root");
  t.regex(
    (await bench.until(({ refusal }) => refusal?.id === "a")).refusal!.message,
    /kept elsewhere/,
  );
  bench.ask("b", "install", "intermediate", "x");
  t.regex((await bench.until(({ refusal }) => refusal?.id === "b")).refusal!.message, /no request/);
  bench.ask("c", "request", "intermediate");
  const { pending } = await bench.until((view) => view.pending !== null);

  // Elsewhere, where the root's key is.
  const vault = path.join(bench.site.folder, "vault");
  mkdirSync(vault);
  for (const name of ["root.crt", "intermediate.crt", "intermediate.key"]) {
    writeFileSync(path.join(vault, name), readFileSync(bench.file(name)));
  }
  writeFileSync(path.join(vault, "root.key"), key);
  const sign = (request: string): string => {
    writeFileSync(path.join(vault, "request.csr"), request);
    const args = [certsDev, "--out", vault, "sign", path.join(vault, "request.csr")];
    return execFileSync(process.execPath, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  };
  const [{ request: foreign }, good] = [makePending(), sign(pending!)];
  for (const [id, certificate] of [
    ["d", sign(foreign)],
    ["e", readFileSync(bench.file("root.crt"), "utf8")],
    ["f", "garbage"],
  ] as const) {
    bench.ask(id, "install", "intermediate", certificate);
    const { refusal } = await bench.until((view) => view.refusal?.id === id);
    t.regex(refusal!.message, /not the one that was asked for/, id);
  }
  await bench.restart();
  bench.ask("g", "install", "intermediate", good);
  const done = await bench.until(({ last }) => last?.end === "rotated");
  t.is(done.pending, null);
  t.not(sidecar.serial(), before);
  t.deepEqual(sidecar.certifier.svid.get()?.chain[2], parsePem(good)[0]);
  t.notThrows(() => sidecar.prove([bench.site.root]));
});

const certsDev = fileURLToPath(new URL("../../certs-dev/main.ts", import.meta.url));
