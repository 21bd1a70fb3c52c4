// The mesh without a cluster, as a second one beside whatever runs here: brought up from k8s/demo, used,
// refused a second time, killed, cleaned up, stopped. Nothing of it remains in the end.
import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  statSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { launchLocal, leftoversOf, stopLocal } from "#/local/launch.ts";
import type { LaunchOptions } from "#/local/launch.ts";
import { LocalClient } from "#/local/client.ts";
import { ownerOf } from "#/local/lock.ts";
import { controlSocket, lockFile } from "#/local/names.ts";
import type { Names } from "#/local/names.ts";
import { LocalError } from "#/local/objects.ts";
import type { PodView } from "#/local/protocol.ts";
import { netnsTest } from "../kit/netns-test.ts";
import { assertSuspensions, writeStreamsManifest } from "./suspension.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const prefix = "signet-test";

/** Names of a mesh whose state lies in a new folder below /run, removed with the test. */
function namesFor(t: ExecutionContext): Names {
  const stateDirectory = mkdtempSync("/run/signet-test-");
  chmodSync(stateDirectory, 0o711);
  t.teardown(async () => {
    await stopLocal({ prefix, stateDirectory });
    rmSync(stateDirectory, { recursive: true, force: true });
  });
  return { prefix, stateDirectory };
}

function optionsFor(names: Names, more: Partial<LaunchOptions> = {}): LaunchOptions {
  const authorityDirectory = path.join(names.stateDirectory, "authority-of-test");
  const manifests = [path.join(repository, "k8s/demo")];
  const onProgress = (): void => {};
  return { names, repository, authorityDirectory, manifests, onProgress, ...more };
}

/** Network namespaces of the mesh; those of labs in other tests have longer names. */
function namespaces(): readonly string[] {
  return readdirSync("/run/netns").filter((name) => /^signet-test-(?:node|pod-\d+)$/.test(name));
}

function assertNothingLeft(t: ExecutionContext, { stateDirectory }: Names): void {
  t.deepEqual(namespaces(), []);
  t.false(existsSync(lockFile({ prefix, stateDirectory })));
  const kept = new Set(["authority-of-test", "runtime.log", "workload.yaml"]);
  t.deepEqual(
    readdirSync(stateDirectory).filter((name) => !kept.has(name)),
    [],
  );
}

async function find(client: LocalClient, name: string): Promise<PodView> {
  const found = (await client.status()).pods.find((pod) => pod.name.startsWith(name));
  if (found === undefined) throw new Error(`No pod "${name}" runs`);
  return found;
}

function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Asks again until the answer passes, for at most `seconds`. */
async function until<T>(
  ask: () => Promise<T>,
  passes: (answer: T) => boolean,
  seconds = 10,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (passes(answer) || performance.now() > deadline) return answer;
    await new Promise((next) => setTimeout(next, 100));
  }
}

async function assertMeshedTraffic(t: ExecutionContext, client: LocalClient): Promise<void> {
  const spiffe = (namespace: string): string =>
    `spiffe://cluster.local/ns/${namespace}/sa/${namespace}`;
  const [a, b] = [spiffe("app-a"), spiffe("app-b")];
  const answered = new RegExp(
    `^signet_proxy_responses_total\\{direction="outbound",source="${a}",destination="${b}".*status="200"\\} [1-9]`,
    "m",
  );
  const text = await until(
    () => client.metrics("app-a/"),
    (each) => answered.test(each),
  );
  t.regex(text, answered);
  t.regex(text, new RegExp(`source="${a}",destination="${b}",transport="mtls",version="TLSv1.3"`));
  t.notRegex(text, /^signet_proxy_responses_total\{.*destination="plaintext"/m);
  // The very first one: what it calls was ready before it began.
  t.regex(await client.logs("app-a/"), /^Response #1\nHTTP\/1\.1 200 OK/);
}

async function assertPodsAreContained(t: ExecutionContext, client: LocalClient): Promise<void> {
  const { name, containers } = await find(client, "app-a");
  const application = containers.find((each) => each.name === "app-a");
  const told = await client.exec({ pod: name, command: ["cat", "/proc/self/status"] });
  const started = readFileSync(`/proc/${application?.pid}/status`, "utf8");
  for (const status of [told.stdout, started]) {
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      t.regex(status, new RegExp(`^${set}:\\t0+$`, "m"));
    }
    t.regex(status, /^NoNewPrivs:\t1$/m);
    t.regex(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
  }
  const keys = await client.exec({
    pod: name,
    command: ["sh", "-c", "ls -A certs-dev/out; touch x"],
  });
  t.not(keys.code, 0);
  t.is(keys.stdout, "");
  t.regex(readFileSync(application?.logFile ?? "", "utf8"), /Response #1\n/);
}

/** Sidecars and controller: the kernel gives the files of a process that cannot be dumped to root. */
async function assertMemoryIsPrivate(t: ExecutionContext, client: LocalClient): Promise<void> {
  for (const [pod, name] of [
    ["app-a", "proxy"],
    ["app-b-v1", "proxy"],
    ["signet-controller", "controller"],
  ] as const) {
    const { containers } = await find(client, pod);
    const pid = containers.find((each) => each.name === name)?.pid;
    t.is(statSync(`/proc/${pid}/environ`).uid, 0, `attack-20 ${pod}`);
    t.regex(readFileSync(`/proc/${pid}/status`, "utf8"), /^Uid:\t(?!0\t)/m);
    t.regex(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max core file size +0 +0 /m);
  }
}

async function assertPodsFindNames(t: ExecutionContext, client: LocalClient): Promise<void> {
  const look = (name: string): Promise<{ code: number; stdout: string; stderr: string }> => {
    const asked = `require("dns").lookup(${JSON.stringify(name)}, (error, address) => console.log(error?.code ?? address))`;
    return client.exec({ pod: "app-a/", command: ["node", "-e", asked] });
  };
  const short = await look("app-b.app-b");
  t.regex(short.stdout, /^10\.78\.0\.\d+\n$/, short.stderr);
  t.regex((await look("app-b.app-b.svc.cluster.local.")).stdout, /^10\.78\.0\.\d+\n$/);
  t.is((await look("app-c.app-b.svc.cluster.local.")).stdout, "ENOTFOUND\n");
}

/** A pod that asks for the Workload API, as a file of its own. */
function manifestOfWorkload({ stateDirectory }: Names): string {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "workload",
      namespace: "app-b",
      annotations: { "signet.dev/workload-api": "enabled" },
    },
    spec: {
      serviceAccountName: "app-b",
      securityContext: { runAsUser: 10_002 },
      containers: [{ name: "app", image: "signet/app-b" }],
    },
  };
  const file = path.join(stateDirectory, "workload.yaml");
  writeFileSync(file, JSON.stringify(pod));
  return file;
}

async function assertWorkloadApi(t: ExecutionContext, client: LocalClient): Promise<void> {
  const run = (script: string) => client.exec({ pod: "workload", command: ["sh", "-c", script] });
  const caller = 'node test/netns/workload-caller.ts "${SPIFFE_ENDPOINT_SOCKET#unix://}"';
  const asked = await until(
    () => run(caller),
    ({ stdout }) => stdout === "answered\n",
  );
  t.is(asked.stdout, "answered\n", asked.stderr);
  const written = await run("rm /run/spiffe/workload.sock; touch /run/spiffe/other");
  t.not(written.code, 0);
  t.is((await run("ls /run/spiffe")).stdout, "workload.sock\n");
  t.is((await client.exec({ pod: "app-a/", command: ["ls", "/run/spiffe"] })).stdout, "");
}

async function assertRefusesASecond(t: ExecutionContext, names: Names, pid: number): Promise<void> {
  const elsewhere = namesFor(t);
  for (const second of [names, elsewhere]) {
    const error = await t.throwsAsync(launchLocal(optionsFor(second)), { instanceOf: LocalError });
    t.is(error.code, "already_running");
    t.true(error.message.includes(`process ${pid}, state in "${names.stateDirectory}"`));
    t.regex(error.next, /signet local down/);
  }
  t.is(ownerOf(names)?.pid, pid);
}

netnsTest("the local mesh carries the demo, contains its pods and leaves nothing", async (t) => {
  const names = namesFor(t);
  const { manifests } = optionsFor(names);
  const withWorkload = [...manifests, manifestOfWorkload(names)];
  const mesh = await launchLocal(optionsFor(names, { manifests: withWorkload }));
  const { client, pid } = mesh;
  await assertWorkloadApi(t, client);
  await assertMeshedTraffic(t, client);
  await assertPodsAreContained(t, client);
  await assertMemoryIsPrivate(t, client);
  await assertPodsFindNames(t, client);
  await assertEndpointIsInspected(t, names);
  const command = [
    "client",
    "--count",
    "1",
    "--json",
    "http://app-b.app-b.svc.cluster.local./hello",
  ];
  const outside = await client.exec({ pod: "outside/", command });
  t.is(outside.code, 0, outside.stderr);
  await assertRefusesASecond(t, names, pid);
  const { pods } = await client.status();
  const pids = pods.flatMap(({ containers }) => containers.map((each) => each.pid));
  await mesh.stop();
  assertNothingLeft(t, names);
  t.deepEqual([pid, ...pids].filter(isRunning), []);
});

netnsTest("a suspended identity is cut off in the whole mesh within two seconds", async (t) => {
  t.timeout(180_000);
  const names = namesFor(t);
  const manifests = [writeStreamsManifest(names.stateDirectory)];
  const mesh = await launchLocal(optionsFor(names, { manifests }));
  await assertSuspensions(t, mesh.client, names);
  await mesh.stop();
});

/** As a sidecar would see it, from the mesh's own network, by the command line itself. */
async function assertEndpointIsInspected(t: ExecutionContext, names: Names): Promise<void> {
  const { prefix, stateDirectory } = names;
  const source = ["app-b/app-b-v1:8080", "--expect", "app-b/app-b"];
  const words = ["certs", "inspect", ...source, "-o", "json", "--state", stateDirectory];
  const command = ["--disable-warning=ExperimentalWarning", "cli/main.ts", ...words];
  const run = promisify(execFile);
  const environment = { ...process.env, SIGNET_LOCAL_PREFIX: prefix };
  const { stdout } = await run(process.execPath, command, { cwd: repository, env: environment });
  const seen = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
  t.is(seen["spiffeId"], "spiffe://cluster.local/ns/app-b/sa/app-b");
  t.true(seen["isValid"]);
  t.true(seen["isChainChecked"]);
  t.like(seen["handshake"], { version: "TLSv1.3", group: "X25519MLKEM768", verification: "" });
  t.is(typeof seen["logIndex"], "number");
}

/** Launches from a process of its own, which leaves as soon as the mesh is up. Resolves with its pid. */
function launchAndLeave(options: LaunchOptions): Promise<number> {
  const { onProgress: _onProgress, ...plain } = options;
  const script = `
    import { launchLocal } from ${JSON.stringify(path.join(repository, "local/launch.ts"))};
    const mesh = await launchLocal({ ...${JSON.stringify(plain)}, onProgress() {} });
    process.stdout.write(String(mesh.pid), () => process.exit(0));`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: repository,
  });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (part: Buffer) => {
      text += part.toString();
    });
    child.once("error", reject);
    child.once("close", () => resolve(Number(text)));
  });
}

netnsTest("a mesh that was killed is cleared away by the next start, and by stop", async (t) => {
  const names = namesFor(t);
  const kill = async (): Promise<readonly number[]> => {
    const pid = await launchAndLeave(optionsFor(names, { manifests: [] }));
    t.is(ownerOf(names)?.pid, pid);
    const [controller] = (await new LocalClient(controlSocket(names)).status()).pods;
    process.kill(pid, "SIGKILL");
    await until(
      async () => isRunning(pid),
      (running) => !running,
    );
    t.deepEqual(namespaces().toSorted(), ["signet-test-node", "signet-test-pod-0"]);
    t.true(existsSync(lockFile(names)));
    t.deepEqual(leftoversOf(names), [
      "2 network namespaces (signet-test-node, ...)",
      `its lock "${lockFile(names)}"`,
    ]);
    return [pid, ...(controller?.containers.map((each) => each.pid) ?? [])];
  };
  const first = await kill();
  const second = await kill();
  // Containers die with their runtime, by the kernel's word; that takes it a moment.
  const alive = async (): Promise<number[]> => [...first, ...second].filter(isRunning);
  await until(alive, (pids) => pids.length === 0);
  t.deepEqual(await alive(), []);
  t.is(await stopLocal(names), "cleared");
  assertNothingLeft(t, names);
  t.is(await stopLocal(names), "nothing");
  t.deepEqual(leftoversOf(names), []);
});

netnsTest("launchLocal stops at once when its signal aborts, and leaves nothing", async (t) => {
  const names = namesFor(t);
  const controller = new AbortController();
  let abortedAt = 0;
  const onProgress = ({ step }: { readonly step: string }): void => {
    if (!step.startsWith("controller") || controller.signal.aborted) return;
    abortedAt = performance.now();
    controller.abort(new Error("Ctrl-C"));
  };
  const { signal } = controller;
  const launched = launchLocal(optionsFor(names, { signal, onProgress }));
  await t.throwsAsync(launched, { message: "Ctrl-C" });
  t.true(performance.now() - abortedAt < 5_000);
  assertNothingLeft(t, names);
  await t.throwsAsync(launchLocal(optionsFor(names, { signal })), { message: "Ctrl-C" });
  assertNothingLeft(t, names);
});
