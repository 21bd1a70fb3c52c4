import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { decodeJwt } from "jose";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import type { KubernetesObject } from "../objects.ts";
import { Store } from "../store.ts";
import { TokenSigner } from "./tokens.ts";
import { makeVolumes } from "./volumes.ts";
import type { VolumeContext } from "./volumes.ts";

const start = Date.UTC(2030, 0, 1);

interface Setting {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly context: VolumeContext;
}

function setUp(t: { teardown(fn: () => void): void }): Setting {
  const made = mkdtempSync(path.join(tmpdir(), "volumes-"));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  const clock = new ManualClock(start);
  const store = new Store(() => clock.now());
  const signer = new TokenSigner(() => clock.now());
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const identity = {
    namespace: "n",
    serviceAccount: { name: "web", uid: "sa-1" },
    pod: { name: "p", uid: "pod-1" },
  };
  const directory = path.join(made, "volumes");
  return {
    clock,
    store,
    context: { store, signer, clock, directory, identity, owner: () => ({ uid, gid }) },
  };
}

function pod(...volumes: unknown[]): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n" },
    spec: { volumes },
  };
}

function object(kind: string, more: Record<string, unknown>): KubernetesObject {
  return { apiVersion: "v1", kind, metadata: { name: "it", namespace: "n" }, ...more };
}

function projected(serviceAccountToken: unknown): unknown {
  return { name: "v", projected: { sources: [{ serviceAccountToken }] } };
}

const token = { audience: "signet-ca", expirationSeconds: 600, path: "token" };
const settle = (): Promise<void> => new Promise((done) => setTimeout(done, 50));
const mode = (file: string): number => statSync(file).mode & 0o777;

test("makeVolumes writes a token for its reader alone", async (t) => {
  const { context } = setUp(t);
  const { folders, stop } = await makeVolumes(pod(projected(token)), context);
  const file = path.join(folders.get("v") ?? "", "token");
  t.is(mode(file), 0o400);
  const claims = decodeJwt(readFileSync(file, "utf8"));
  t.deepEqual(claims.aud, ["signet-ca"]);
  t.is((claims.exp ?? 0) - (claims.iat ?? 0), 600);
  stop();
});

test("makeVolumes replaces a token at four fifths of its life, by renaming", async (t) => {
  const { context, clock } = setUp(t);
  const { folders, stop } = await makeVolumes(pod(projected(token)), context);
  const file = path.join(folders.get("v") ?? "", "token");
  const first = { text: readFileSync(file, "utf8"), inode: statSync(file).ino };
  clock.advance(479_000);
  await settle();
  t.is(readFileSync(file, "utf8"), first.text);
  clock.advance(1_000);
  await settle();
  t.not(readFileSync(file, "utf8"), first.text);
  t.not(statSync(file).ino, first.inode);
  t.is(decodeJwt(readFileSync(file, "utf8")).iat, start / 1000 + 480);
  stop();
});

test("makeVolumes tries again when a token cannot be signed, and keeps the old one", async (t) => {
  const { context, clock } = setUp(t);
  let isBroken = false;
  const signer = {
    sign: (claims: Parameters<TokenSigner["sign"]>[0]) =>
      isBroken ? Promise.reject(new Error("no")) : context.signer.sign(claims),
  } as TokenSigner;
  const { folders, stop } = await makeVolumes(pod(projected(token)), { ...context, signer });
  const file = path.join(folders.get("v") ?? "", "token");
  const first = readFileSync(file, "utf8");
  isBroken = true;
  clock.advance(480_000);
  await settle();
  t.is(readFileSync(file, "utf8"), first);
  isBroken = false;
  clock.advance(10_000);
  await settle();
  t.not(readFileSync(file, "utf8"), first);
  stop();
});

test("makeVolumes ends its timers and removes its files when stopped", async (t) => {
  const { context, clock } = setUp(t);
  const { folders, stop } = await makeVolumes(pod(projected(token)), context);
  stop();
  t.is(clock.timerCount, 0);
  t.false(statSync(folders.get("v") ?? "", { throwIfNoEntry: false })?.isDirectory() ?? false);
});

test("makeVolumes gives no token a shorter life than a cluster does", async (t) => {
  const { context } = setUp(t);
  const { folders, stop } = await makeVolumes(
    pod(projected({ ...token, expirationSeconds: 30 })),
    context,
  );
  const { exp = 0, iat = 0 } = decodeJwt(
    readFileSync(path.join(folders.get("v")!, "token"), "utf8"),
  );
  t.is(exp - iat, 600);
  stop();
});

test("makeVolumes writes a ConfigMap and follows its changes", async (t) => {
  const { context, store } = setUp(t);
  store.put(object("ConfigMap", { data: { "bundle.pem": "one" } }));
  const { folders, stop } = await makeVolumes(
    pod({ name: "v", configMap: { name: "it" } }),
    context,
  );
  const file = path.join(folders.get("v") ?? "", "bundle.pem");
  t.is(readFileSync(file, "utf8"), "one");
  t.is(mode(file), 0o444);
  store.put(object("ConfigMap", { data: { "bundle.pem": "two" } }));
  t.is(readFileSync(file, "utf8"), "two");
  store.delete("ConfigMap/n/it");
  t.is(readFileSync(file, "utf8"), "two");
  stop();
});

test("makeVolumes writes a Secret's bytes for its reader alone", async (t) => {
  const { context, store } = setUp(t);
  store.put(object("Secret", { data: { a: "aGk=" }, stringData: { b: "plain" } }));
  const { folders, stop } = await makeVolumes(
    pod({ name: "v", secret: { secretName: "it" } }),
    context,
  );
  const folder = folders.get("v") ?? "";
  t.is(readFileSync(path.join(folder, "a"), "utf8"), "hi");
  t.is(readFileSync(path.join(folder, "b"), "utf8"), "plain");
  t.is(mode(path.join(folder, "a")), 0o400);
  stop();
});

test("makeVolumes lets no key climb out of its folder", async (t) => {
  const { context, store } = setUp(t);
  store.put(object("ConfigMap", { data: { "../../escaped": "x" } }));
  const { folders, stop } = await makeVolumes(
    pod({ name: "v", configMap: { name: "it" } }),
    context,
  );
  t.true(statSync(path.join(folders.get("v") ?? "", "escaped")).isFile());
  stop();
});

test("makeVolumes makes an empty folder that all of the pod's users may write to", async (t) => {
  const { context } = setUp(t);
  const { folders, stop } = await makeVolumes(pod({ name: "v", emptyDir: {} }), context);
  t.is(mode(folders.get("v") ?? ""), 0o777);
  stop();
});

const impossible: readonly (readonly [string, unknown, string, string])[] = [
  [
    "a ConfigMap that is not there",
    { name: "v", configMap: { name: "it" } },
    "not_found",
    'Cannot mount ConfigMap "it": there is none in the namespace',
  ],
  [
    "a Secret that is not there",
    { name: "v", secret: { secretName: "it" } },
    "not_found",
    'Cannot mount Secret "it": there is none in the namespace',
  ],
  [
    "a claim",
    { name: "v", persistentVolumeClaim: {} },
    "not_possible_here",
    'Cannot make volume "v": its kind needs a cluster',
  ],
  [
    "nothing at all",
    { name: "v" },
    "not_possible_here",
    'Cannot make volume "v": its kind needs a cluster',
  ],
  [
    "a projection of something else",
    { name: "v", projected: { sources: [{ configMap: {} }] } },
    "not_possible_here",
    "Cannot project a source that is no token",
  ],
];
for (const [what, volume, code, message] of impossible) {
  test(`makeVolumes refuses ${what} and leaves nothing behind`, async (t) => {
    const { context, clock } = setUp(t);
    const first = { ...(projected(token) as object), name: "first" };
    await t.throwsAsync(makeVolumes(pod(first, volume), context), { code, message });
    t.is(clock.timerCount, 0);
    t.is(statSync(context.directory, { throwIfNoEntry: false }), undefined);
  });
}
