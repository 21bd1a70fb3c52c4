// A real kube-apiserver with its etcd, alone on loopback: what tests of the cluster's client hold it
// against. SIGNET_TEST_KUBE_BIN names the folder with kube-apiserver, kubectl and, unless it is
// installed, etcd. It can be killed, started again, and its store compacted, as an operator would.
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "../kit/free-port.ts";
import { connectionThrough } from "./relay.ts";
import type { Relay } from "./relay.ts";
import { eventually } from "./eventually.ts";

const run = promisify(execFile);
const readyMs = 60_000;

export class ControlPlane implements AsyncDisposable {
  readonly folder: string = mkdtempSync(path.join(tmpdir(), "signet-apiserver-"));
  readonly #bin: string;
  #port = 0;
  #etcdPort = 0;
  #etcd: ChildProcess | null = null;
  #server: ChildProcess | null = null;

  static async start(): Promise<ControlPlane> {
    const plane = new ControlPlane();
    [plane.#port, plane.#etcdPort] = [await freePort(), await freePort()];
    const peerPort = await freePort();
    await plane.#makeKeys();
    const client = `http://127.0.0.1:${plane.#etcdPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    plane.#etcd = plane.#spawn("etcd", [
      "--name=a",
      `--data-dir=${path.join(plane.folder, "etcd")}`,
      "--log-level=warn",
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=a=${peer}`,
      "--unsafe-no-fsync",
    ]);
    plane.writeKubeconfig("admin", plane.#port);
    await plane.startServer();
    return plane;
  }

  private constructor() {
    const bin = process.env["SIGNET_TEST_KUBE_BIN"] ?? "";
    if (!existsSync(path.join(bin, "kube-apiserver"))) {
      throw new Error("Set SIGNET_TEST_KUBE_BIN to a folder with kube-apiserver and kubectl");
    }
    this.#bin = bin;
  }

  get kubeconfig(): string {
    return path.join(this.folder, "admin.kubeconfig");
  }

  async startServer(): Promise<void> {
    const file = (name: string): string => path.join(this.folder, name);
    const issuer = "https://kubernetes.default.svc.cluster.local";
    this.#server = this.#spawn("kube-apiserver", [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPort}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      `--secure-port=${this.#port}`,
      "--service-cluster-ip-range=10.96.0.0/16",
      `--client-ca-file=${file("ca.crt")}`,
      `--tls-cert-file=${file("api.crt")}`,
      `--tls-private-key-file=${file("api.key")}`,
      `--service-account-issuer=${issuer}`,
      `--service-account-key-file=${file("sa.key")}`,
      "--authorization-mode=Node,RBAC",
      `--service-account-signing-key-file=${file("sa.key")}`,
      "--endpoint-reconciler-type=none",
    ]);
    const endsAt = Date.now() + readyMs;
    for (;;) {
      const answer = await this.kubectl("get", "--raw", "/readyz").catch(() => "");
      if (answer === "ok") return;
      if (Date.now() > endsAt) throw new Error(`It does not become ready: see ${this.folder}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** As a machine that loses its power. */
  async killServer(): Promise<void> {
    await end(this.#server);
    this.#server = null;
  }

  /** Forgets every version but the present ones. */
  async compact(): Promise<void> {
    const call = async (rpc: string, body: object): Promise<unknown> => {
      const url = `http://127.0.0.1:${this.#etcdPort}/v3/${rpc}`;
      const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
      if (!response.ok) throw new Error(await response.text());
      return response.json();
    };
    const key = Buffer.from("/").toString("base64");
    const range = (await call("kv/range", { key })) as { header: { revision: string } };
    await call("kv/compaction", { revision: range.header.revision, physical: true });
  }

  /** A way to the server that can be cut and silenced, and a kubeconfig that takes it. */
  async relay(): Promise<Relay & { readonly kubeconfig: string }> {
    const relay = await connectionThrough(this.#port);
    return Object.assign(relay, {
      kubeconfig: this.writeKubeconfig(`relay-${relay.port}`, relay.port),
    });
  }

  async kubectl(...parameters: readonly string[]): Promise<string> {
    const program = path.join(this.#bin, "kubectl");
    const cache = path.join(this.folder, "cache");
    const given = ["--kubeconfig", this.kubeconfig, "--cache-dir", cache, ...parameters];
    return (await run(program, given, { timeout: 30_000 })).stdout;
  }

  /** Creates or replaces objects. */
  async apply(...objects: readonly object[]): Promise<void> {
    const file = path.join(this.folder, `apply-${crypto.randomUUID()}.json`);
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    await this.kubectl("apply", "--server-side", "--force-conflicts", "-f", file);
  }

  /** Resolves when the API server takes objects of this definition. */
  async established(definition: string): Promise<void> {
    // kubectl itself gives up on a definition that has no conditions yet, as it is in its first moment.
    await eventually(async () => {
      const wait = ["wait", "--for=condition=Established", `crd/${definition}`];
      return (await this.kubectl(...wait).catch(() => "")) !== "";
    });
  }

  async get(...parameters: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.kubectl("get", ...parameters, "-o", "json"));
  }

  writeKubeconfig(name: string, port: number): string {
    const at = (part: string): string => path.join(this.folder, part);
    const user = { "client-certificate": at("admin.crt"), "client-key": at("admin.key") };
    return this.#writeKubeconfig(name, port, user);
  }

  /** Of whoever holds that token. */
  tokenKubeconfig(name: string, token: string): string {
    return this.#writeKubeconfig(name, this.#port, { token });
  }

  #writeKubeconfig(name: string, port: number, user: object): string {
    const file = path.join(this.folder, `${name}.kubeconfig`);
    const ca = path.join(this.folder, "ca.crt");
    const server = `https://127.0.0.1:${port}`;
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "t",
      clusters: [{ name: "t", cluster: { server, "certificate-authority": ca } }],
      users: [{ name: "t", user }],
      contexts: [{ name: "t", context: { cluster: "t", user: "t" } }],
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#server);
    await end(this.#etcd);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(name: string, parameters: readonly string[]): ChildProcess {
    const own = path.join(this.#bin, name);
    const log = openSync(path.join(this.folder, `${name}.log`), "a");
    // Whatever becomes of the tests, nothing of it outlives them.
    const program = ["--pdeathsig", "KILL", existsSync(own) ? own : name];
    const child = spawn("setpriv", [...program, ...parameters], {
      cwd: this.folder,
      stdio: ["ignore", log, log],
    });
    child.on("error", (error) => writeFileSync(log, `${error.message}\n`));
    return child;
  }

  async #makeKeys(): Promise<void> {
    mkdirSync(path.join(this.folder, "cache"));
    const openssl = (...parameters: readonly string[]): Promise<unknown> =>
      run("openssl", parameters, { cwd: this.folder });
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const ca = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test-ca", "-days", "2"];
    await openssl("req", "-x509", ...newKey, ...ca);
    await openssl("genrsa", "-out", "sa.key", "2048");
    const issue = async (name: string, subject: string, alternative: string): Promise<void> => {
      const file = { key: `${name}.key`, csr: `${name}.csr`, extensions: `${name}.ext` };
      const usage = `extendedKeyUsage=clientAuth,serverAuth\n${alternative}\n`;
      writeFileSync(path.join(this.folder, file.extensions), usage);
      await openssl("req", ...newKey, "-keyout", file.key, "-out", file.csr, "-subj", subject);
      const signed = ["-in", file.csr, "-out", `${name}.crt`, "-extfile", file.extensions];
      const signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
      await openssl("x509", "-req", ...signed, ...signer);
    };
    await issue("api", "/CN=kube-apiserver", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    await issue("admin", "/O=system:masters/CN=admin", "");
  }
}

async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}
