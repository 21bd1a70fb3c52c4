// Two pods with their sidecars, as the local runtime runs them: redirected by the kernel, certified by a
// controller, mutual TLS between them. One serves (streams/origin.ts), the other calls (streams/caller.ts).
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { run } from "#/local/command.ts";
import { launchLocal, stopLocal } from "#/local/launch.ts";
import type { LocalMesh } from "#/local/launch.ts";
import type { Names } from "#/local/names.ts";
import { ports } from "./streams/ports.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const folder = "test/kit/streams";
const userId = 10_001;
const readyMsMax = 20_000;
const silenceMsDefault = 110_000;

export type PodName = "client" | "server";
/** One of the mesh, or the one without a sidecar. */
export type CallerName = "client" | "outside";

const workload = (name: string, namespace: string): string => `---
apiVersion: v1
kind: ServiceAccount
metadata: { name: ${name}, namespace: ${namespace} }
---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${name} } }
spec:
  serviceAccountName: ${name}
  securityContext: { runAsNonRoot: true, runAsUser: ${userId}, runAsGroup: ${userId} }
  containers: [{ name: ${name}, image: signet/client, args: [--idle] }]
`;

/** Only where it must be does a port say what it carries. */
const servicePorts = [
  `{ name: http, port: 80, targetPort: ${ports.http} }`,
  `{ name: https, port: ${ports.tls}, targetPort: ${ports.tls} }`,
  ...[
    ports.opaque,
    ports.detected,
    ports.bannerOpaque,
    ports.bannerDetected,
    ports.tlsDetected,
  ].map((port) => `{ name: x${port}, port: ${port}, targetPort: ${port} }`),
];
const manifest = `
apiVersion: v1
kind: Namespace
metadata: { name: streams, labels: { signet.dev/inject: enabled } }
---
apiVersion: v1
kind: Namespace
metadata: { name: outside }
${workload("server", "streams")}${workload("client", "streams")}${workload("outside", "outside")}---
apiVersion: v1
kind: Service
metadata: { name: server, namespace: streams }
spec:
  selector: { app: server }
  ports:
${servicePorts.map((port) => `    - ${port}`).join("\n")}
`;

export interface StreamMeshOptions {
  /** Tells it from other meshes of this machine. */
  readonly prefix?: string;
  /** The most that the kernel holds of a connection in each direction, at each end; its own idea by default. */
  readonly bufferBytes?: number;
  /** Who says nothing for so long, where something is waited for, is ended. */
  readonly silenceMs?: number;
}

export class StreamMesh implements AsyncDisposable {
  /** SHA-256 of the certificate that the application's own TLS shows, as openssl writes it. */
  readonly fingerprint: string;
  readonly #mesh: LocalMesh;
  readonly #names: Names;
  readonly #children = new Set<ChildProcess>();
  readonly #origin: Program;
  readonly #silenceMs: number;

  private constructor(mesh: LocalMesh, names: Names, origin: Program, silenceMs: number) {
    this.#silenceMs = silenceMs;
    this.#mesh = mesh;
    this.#names = names;
    this.fingerprint = (origin.first as { readonly fingerprint: string }).fingerprint;
    this.#origin = origin;
    this.#keep(origin.child);
  }

  /** What the server said as it ended before its time; null while it runs. */
  get serverFault(): string | null {
    const { child, errors } = this.#origin;
    return child.exitCode === null && child.signalCode === null ? null : errors();
  }

  static async launch(options: StreamMeshOptions = {}): Promise<StreamMesh> {
    const { prefix = "signet-streams", bufferBytes = null } = options;
    const { silenceMs = silenceMsDefault } = options;
    const stateDirectory = mkdtempSync(`/run/${prefix}-`);
    chmodSync(stateDirectory, 0o711);
    const names = { prefix, stateDirectory };
    const manifestFile = path.join(stateDirectory, "streams.yaml");
    writeFileSync(manifestFile, manifest);
    try {
      const mesh = await launchLocal({
        names,
        repository,
        authorityDirectory: path.join(stateDirectory, "authority-of-test"),
        manifests: [manifestFile],
        onProgress: () => {},
      });
      if (bufferBytes !== null) await limitBuffers(mesh, bufferBytes);
      const origin = await start(mesh, "streams/server", [`${folder}/origin.ts`], silenceMs);
      const it = new StreamMesh(mesh, names, origin, silenceMs);
      await it.#untilAnswered();
      return it;
    } catch (error) {
      await remove(names);
      throw error;
    }
  }

  /** Does one job of streams/caller.ts, and resolves with what came of it. */
  async call(
    job: string,
    words: readonly string[] = [],
    from: CallerName = "client",
  ): Promise<unknown> {
    const { first } = await this.begin(job, words, from);
    return first;
  }

  /** The same for a job that says more than one thing: `next` lets it go on and hears the next one. */
  begin(job: string, words: readonly string[] = [], from: CallerName = "client"): Promise<Talk> {
    return this.run(`${folder}/caller.ts`, [job, ...words], from);
  }

  /** Any program of the checkout, which says something at once and more for each line that it is given. */
  async run(
    file: string,
    words: readonly string[] = [],
    from: CallerName = "client",
  ): Promise<Talk> {
    const program = await start(this.#mesh, podOf(from), [file, ...words], this.#silenceMs);
    this.#keep(program.child);
    return program;
  }

  /** Of the process of that pod's sidecar. */
  async sidecar(pod: PodName): Promise<number> {
    const { pods } = await this.#mesh.client.status();
    const found = pods.find(({ namespace, name }) => namespace === "streams" && name === pod);
    const pid = found?.containers.find(({ name }) => name === "proxy")?.pid;
    if (pid === undefined) throw new Error(`No sidecar runs in "${pod}"`);
    return pid;
  }

  /** Prometheus text. */
  metrics(pod: PodName): Promise<string> {
    return this.#mesh.client.metrics(podOf(pod));
  }

  async addressOf(pod: PodName): Promise<string> {
    const { pods } = await this.#mesh.client.status();
    return pods.find(({ name }) => name === pod)?.address ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.#mesh.stop();
    await remove(this.#names);
  }

  #keep(child: ChildProcess): void {
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
  }

  async #untilAnswered(): Promise<void> {
    const deadline = performance.now() + readyMsMax;
    for (;;) {
      if ((await this.call("once").catch(() => "")) === "once") return;
      if (performance.now() > deadline) throw new Error("The server does not answer");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** For connections that are made from now on. */
async function limitBuffers({ client }: LocalMesh, bytes: number): Promise<void> {
  const { pods } = await client.status();
  const sizes = `4096 ${bytes} ${bytes}`;
  const settings = [`net.ipv4.tcp_rmem=${sizes}`, `net.ipv4.tcp_wmem=${sizes}`];
  for (const { networkNamespace, namespace } of pods) {
    if (namespace !== "streams") continue;
    await run("ip", ["netns", "exec", networkNamespace, "sysctl", "-qw", ...settings]);
  }
}

const podOf = (name: PodName | CallerName): string =>
  name === "outside" ? "outside/outside" : `streams/${name}`;

export interface Talk {
  /** What it said first. */
  readonly first: unknown;
  /** Gives it a line; resolves with what it says next. Rejects when it ends. */
  next(): Promise<unknown>;
}

interface Program extends Talk {
  readonly child: ChildProcess;
  /** The end of what it wrote on standard error. */
  readonly errors: () => string;
}

/** Starts a program in a pod, as its application's user; resolves when it has said something. */
async function start(
  mesh: LocalMesh,
  pod: string,
  words: readonly string[],
  silenceMs: number,
): Promise<Program> {
  const [file = "", ...parameters] = words;
  const flags = ["--disable-warning=ExperimentalWarning", "--experimental-eventsource"];
  const command = ["node", ...flags, file, ...parameters];
  const [program = "", ...args] = await mesh.client.entry({ pod, command });
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  const lines = createInterface({ input: child.stdout });
  const said = async (): Promise<unknown> => {
    const ended = new AbortController();
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      errors += `killed: it said nothing for ${silenceMs} ms`;
    }, silenceMs);
    const exit = once(child, "exit", { signal: ended.signal }).then(() => {
      throw new Error(`"${words.join(" ")}" ended: ${errors.trim().slice(-2000)}`);
    });
    const line = once(lines, "line", { signal: ended.signal }) as Promise<string[]>;
    exit.catch(() => {});
    try {
      const [text = ""] = await Promise.race([line, exit]);
      return JSON.parse(text) as unknown;
    } finally {
      clearTimeout(timer);
      ended.abort();
      line.catch(() => {});
    }
  };
  const next = (): Promise<unknown> => {
    const answer = said();
    child.stdin.write("go\n");
    return answer;
  };
  const errorsMax = 2000;
  return { child, first: await said(), next, errors: () => errors.trim().slice(-errorsMax) };
}

async function remove(names: Names): Promise<void> {
  await stopLocal(names);
  rmSync(names.stateDirectory, { recursive: true, force: true });
}
