// A pod with the sidecar as it ships (its own process, its user, its confinement, the kernel's rules of
// proxy-init) and a neighbour that holds the controller and everybody else. Two network namespaces.
import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { commandOfImage } from "#/local/pod/images.ts";
import { tokenIssuer } from "#/local/pod/tokens.ts";
import { Site, added, policyObject, synced } from "./controller-site.ts";
import { createLab } from "./netns.ts";
import type { Lab, Namespace } from "./netns.ts";
import type { Dialled, Order } from "../netns/dialler.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const dialler = fileURLToPath(new URL("../netns/dialler.ts", import.meta.url));
const recordingApp = fileURLToPath(new URL("../netns/recording-app.ts", import.meta.url));

export const podAddresses = { ipv4: "10.77.0.2", ipv6: "fd77::2" } as const;
export const neighbourAddress = "10.77.0.1";
export const serviceAddress = "10.96.0.10";
/** Of the application, to see which mode is in force. */
const probedPort = 9999;
/** A change of policy reaches a sidecar next door in some tens of milliseconds. */
const toldWithinMs = 1000;
const controllerAddress = `${neighbourAddress}:8443`;

const pod = (app: string, podIP: string): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `${app}-1`,
    namespace: app,
    uid: `uid-${app}`,
    annotations: { "signet.dev/status": "injected" },
  },
  spec: { serviceAccountName: app },
  status: { podIP, phase: "Running" },
});
/** A service outside the mesh: whoever listens on the neighbour's port 80. */
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "plain", namespace: "app-a" },
  spec: { clusterIP: serviceAddress, ports: [{ port: 80, targetPort: 80, appProtocol: "http" }] },
};
const slice = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: "plain-1",
    namespace: "app-a",
    labels: { "kubernetes.io/service-name": "plain" },
  },
  ports: [{ port: 80 }],
  endpoints: [{ addresses: [neighbourAddress], conditions: { ready: true } }],
};

export interface SidecarLabOptions {
  /** Of the sidecar, beside what every sidecar has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Of the controller, beside what every one has. */
  readonly controller?: Readonly<Record<string, string>>;
  /** A folder that it has at /run/spiffe, as on a volume of its pod; null: none. */
  readonly workloadFolder?: boolean;
}

export class SidecarLab implements AsyncDisposable {
  readonly pod: Namespace;
  readonly neighbour: Namespace;
  /** What the application in the pod was given, a line for each connection and each piece of bytes. */
  readonly arrived: string[] = [];
  /** The sidecar's log and access log. */
  said = "";
  /** Of the sidecar. */
  processId = 0;
  readonly #lab: Lab;
  readonly #site: Site;

  private constructor(lab: Lab, site: Site, pair: readonly [Namespace, Namespace]) {
    this.#lab = lab;
    this.#site = site;
    [this.pod, this.neighbour] = pair;
  }

  /** The application listens on `ports` of the pod; the policy is STRICT. */
  static async create(
    ports: readonly number[],
    options: SidecarLabOptions = {},
  ): Promise<SidecarLab> {
    const lab = await createLab();
    const site = await Site.create();
    try {
      const pair = await createPair(lab);
      const it = new SidecarLab(lab, site, pair);
      await it.#startController(options);
      await it.#startSidecar(ports, options);
      return it;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves when the sidecar has it. */
  async setMode(mode: "STRICT" | "PERMISSIVE"): Promise<void> {
    this.#site.say({ type: "MODIFIED", object: policyObject(mode) });
    const ask = `exec 3<>/dev/tcp/${podAddresses.ipv4}/${probedPort} && printf 'GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n' >&3 && head -c 15 <&3 | grep -q ' 200 OK'`;
    const passes = mode === "STRICT" ? "!" : "";
    const script = `for try in $(seq 200); do ${passes} (${ask}) 2>/dev/null && exit 0; sleep 0.02; done; exit 1`;
    await this.neighbour.succeed("bash", ["-c", script]);
  }

  /** With or without postQuantum: REQUIRE beside STRICT; resolves when the controller has told it. */
  async setPostQuantum(postQuantum: "PREFER" | "REQUIRE"): Promise<void> {
    const object = policyObject("STRICT") as { spec: { mtls: object } };
    const spec = { mtls: { ...object.spec.mtls, postQuantum } };
    this.#site.say({ type: "MODIFIED", object: { ...object, spec } });
    await new Promise((resolve) => setTimeout(resolve, toldWithinMs));
  }

  async dial(
    from: Namespace,
    dials: Order["dials"],
    asMember = false,
  ): Promise<readonly Dialled[]> {
    const identity = asMember
      ? {
          controller: controllerAddress,
          token: await this.#token("app-b"),
          bundle: this.#path("bundle.pem"),
        }
      : undefined;
    const order: Order = { dials, ...(identity === undefined ? {} : { identity }) };
    const quiet = "--disable-warning=ExperimentalWarning";
    const command = [quiet, dialler, JSON.stringify(order)];
    return JSON.parse(await from.succeed(process.execPath, command)) as Dialled[];
  }

  /** The sidecar's metrics. */
  metrics(): Promise<string> {
    const script = String.raw`exec 3<>/dev/tcp/127.0.0.1/4100 && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && cat <&3`;
    return this.pod.succeed("bash", ["-c", script]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
    await this.#site[Symbol.asyncDispose]();
  }

  async #startController(options: SidecarLabOptions): Promise<void> {
    await this.#site.serveWorld(
      added(pod("app-a", podAddresses.ipv4)),
      added(pod("app-b", neighbourAddress)),
      added(service),
      added(slice),
      added(policyObject("STRICT")),
      synced,
    );
    const environment = {
      SIGNET_CA_DIRECTORY: this.#path("ca"),
      SIGNET_DATA_DIRECTORY: this.#path("data"),
      SIGNET_WORLD: `unix:${this.#path("world.sock")}`,
      SIGNET_TOKEN_ISSUER: tokenIssuer,
      SIGNET_TOKEN_JWKS_FILE: this.#path("jwks.json"),
      SIGNET_ADMIN_SOCKET: this.#path("admin.sock"),
      ...options.controller,
    };
    const main = path.join(repository, "controller/main.ts");
    const child = this.neighbour.start(process.execPath, [main], { environment });
    await said(child, /"msg":"controller started"/);
  }

  async #startSidecar(ports: readonly number[], options: SidecarLabOptions): Promise<void> {
    const init = path.join(repository, "proxy-init/main.ts");
    await this.pod.succeed(process.execPath, [init, "--inbound-port=4000"], {
      capabilities: ["net_admin", "net_raw"],
    });
    const app = this.pod.start(process.execPath, [
      recordingApp,
      ...[...ports, probedPort].map(String),
    ]);
    app.stdout?.on("data", (bytes: Buffer) => {
      const lines = bytes.toString().trimEnd().split("\n");
      this.arrived.push(...lines.filter((line) => !line.includes(` ${probedPort}`)));
    });
    await said(app, /^ready$/m);
    this.arrived.length = 0;
    writeFileSync(this.#path("bundle.pem"), toPem(this.#site.root));
    writeFileSync(this.#path("token"), await this.#token("app-a"));
    const environment = {
      POD_NAME: "app-a-1",
      POD_NAMESPACE: "app-a",
      POD_UID: "uid-app-a",
      POD_IP: podAddresses.ipv4,
      POD_IPS: Object.values(podAddresses).join(","),
      SERVICE_ACCOUNT: "app-a",
      SIGNET_TRUST_DOMAIN: "cluster.local",
      SIGNET_CONTROLLER_ADDRESS: controllerAddress,
      SIGNET_ROOT_FINGERPRINTS: fingerprint(this.#site.root),
      SIGNET_TRUST_BUNDLE_FILE: this.#path("bundle.pem"),
      SIGNET_TOKEN_FILE: this.#path("token"),
      SIGNET_DRAIN_S: "0",
      ...options.environment,
    };
    const [main = "", ...flags] = commandOfImage("signet/proxy").toReversed();
    // The sidecar's own user; it may read the checkout wherever that is, and nothing else of root's.
    const reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
    const user = ["--reuid=1337", "--regid=1337", "--clear-groups", ...reading];
    const command = [process.execPath, ...flags.toReversed(), path.join(repository, main)];
    const whole = ["setpriv", ...user, ...command];
    const [program = "", ...words] =
      options.workloadFolder === true ? this.#withWorkloadFolder(whole) : whole;
    const child = this.pod.start(program, words, { environment });
    this.processId = child.pid ?? 0;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes: Buffer) => (this.said += bytes.toString()));
    }
    await this.#untilReady();
  }

  /** Where the sidecar's /run/spiffe is seen from outside, as other containers of the pod see it. */
  get workloadFolder(): string {
    return this.#path("workload");
  }

  /** A mount namespace whose /run is the sidecar's own, as a container's is. */
  #withWorkloadFolder(command: readonly string[]): readonly string[] {
    mkdirSync(this.workloadFolder, { recursive: true });
    chmodSync(this.#site.folder, 0o755);
    // As kubelet makes an emptyDir.
    chmodSync(this.workloadFolder, 0o777);
    const script =
      'folder=$1; shift; mkdir "$folder/../run"; mount -t tmpfs tmpfs "$folder/../run"; mkdir "$folder/../run/spiffe"; mount --bind "$folder" "$folder/../run/spiffe"; mount --rbind "$folder/../run" /run; exec "$@"';
    const enter = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh"];
    return [...enter, this.workloadFolder, ...command];
  }

  async #untilReady(): Promise<void> {
    const ask = String.raw`exec 3<>/dev/tcp/127.0.0.1/4100 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200 OK' <&3`;
    const script = `for try in $(seq 200); do (${ask}) 2>/dev/null && exit 0; sleep 0.05; done; exit 1`;
    const { exitCode } = await this.pod.run("bash", ["-c", script]);
    if (exitCode !== 0) throw new Error(`The sidecar does not become ready: ${this.said}`);
  }

  #token(app: string): Promise<string> {
    return this.#site.signer.sign({
      audience: "signet-ca",
      lifetimeSeconds: 600,
      namespace: app,
      serviceAccount: { name: app, uid: `uid-sa-${app}` },
      pod: { name: `${app}-1`, uid: `uid-${app}` },
    });
  }

  #path(name: string): string {
    return path.join(this.#site.folder, name);
  }
}

/** Two namespaces with a link; everything foreign is routed from each to the other. */
async function createPair(lab: Lab): Promise<[Namespace, Namespace]> {
  const inside = await lab.addNamespace("pod");
  const neighbour = await lab.addNamespace("neighbour");
  await lab.link(
    {
      namespace: inside,
      device: "eth0",
      addresses: [`${podAddresses.ipv4}/24`, `${podAddresses.ipv6}/64`],
    },
    { namespace: neighbour, device: "eth0", addresses: [`${neighbourAddress}/24`, "fd77::1/64"] },
  );
  await inside.succeed("ip", ["route", "add", "default", "via", neighbourAddress]);
  await neighbour.succeed("ip", ["route", "add", "default", "via", podAddresses.ipv4]);
  return [inside, neighbour];
}

/** Resolves when `child` has said what is waited for, on either stream. */
function said(child: ChildProcess, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes: Buffer) => {
        text += bytes.toString();
        if (pattern.test(text)) resolve();
      });
    }
    child.once("exit", (code) => reject(new Error(`It ended with ${code}: ${text}`)));
  });
}
