// Two whole meshes on one machine, each with its own trust domain, controller, network and authorities, and one
// pod that serves and calls. A link joins their nodes; across it each node shows single ports of its own, as a
// load balancer would: all that one mesh sees of the other is an address.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { LocalClient } from "#/local/client.ts";
import { rotationRequest } from "#/cli/rotation.ts";
import { run } from "#/local/command.ts";
import { launchLocal, stopLocal } from "#/local/launch.ts";
import type { LocalMesh } from "#/local/launch.ts";
import { nodeNamespace } from "#/local/names.ts";
import type { Names } from "#/local/names.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const bundlePort = 8445;
/** Of the application, in both pods. */
const servedPort = 8080;
const shownPort = 18_080;
const rotationMsMax = 90_000;

const workload = `
apiVersion: v1
kind: Namespace
metadata: { name: trade, labels: { signet.dev/inject: enabled } }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: trader, namespace: trade }
---
apiVersion: v1
kind: Pod
metadata:
  name: trader
  namespace: trade
  annotations: { signet.dev/workload-api: enabled }
spec:
  serviceAccountName: trader
  securityContext: { runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001 }
  containers: [{ name: trader, image: signet/client, args: [--idle] }]
`;

/** Says who called it; drips for ever where it is asked to. */
const serve = `
  require("node:http").createServer((request, response) => {
    if (request.url !== "/drip") {
      request.resume();
      return void response.end(String(request.headers["x-forwarded-client-cert"]));
    }
    response.writeHead(200);
    const timer = setInterval(() => response.write("x"), 20);
    response.on("close", () => clearInterval(timer));
  }).listen(${servedPort}, "0.0.0.0");
`;

export interface LoadReport {
  readonly answered: number;
  readonly failed: readonly string[];
}

export class FederatedMesh {
  readonly names: Names;
  readonly trustDomain: string;
  /** On the link between the nodes. */
  readonly address: string;
  readonly client: LocalClient;
  readonly #mesh: LocalMesh;
  readonly #serving = new AbortController();
  #served: Promise<unknown> = Promise.resolve();

  private constructor(mesh: LocalMesh, names: Names, trustDomain: string, address: string) {
    this.#mesh = mesh;
    this.names = names;
    this.trustDomain = trustDomain;
    this.address = address;
    this.client = mesh.client;
  }

  static async launch(letter: "a" | "b"): Promise<FederatedMesh> {
    const stateDirectory = mkdtempSync(`/run/signet-fed-${letter}-`);
    chmodSync(stateDirectory, 0o711);
    const names = { prefix: `signet-fed-${letter}`, stateDirectory };
    const manifest = path.join(stateDirectory, "trade.yaml");
    writeFileSync(manifest, workload);
    const trustDomain = `mesh-${letter}.test`;
    const mesh = await launchLocal({
      names,
      repository,
      authorityDirectory: path.join(stateDirectory, "authority-of-test"),
      manifests: [manifest],
      trustDomain,
      onProgress: () => {},
    });
    const address = letter === "a" ? "10.90.0.1" : "10.90.0.2";
    return new FederatedMesh(mesh, names, trustDomain, address);
  }

  get identity(): string {
    return `spiffe://${this.trustDomain}/ns/trade/sa/trader`;
  }

  get node(): string {
    return nodeNamespace(this.names);
  }

  /** Shows the pod's port and the bundle endpoint to whoever is on the link. */
  async show(): Promise<void> {
    const { pods } = await this.client.status();
    const addressOf = (name: string): string =>
      pods.find((pod) => pod.name.startsWith(name))?.address ?? "";
    const rules = [
      [shownPort, `${addressOf("trader")}:${servedPort}`],
      [bundlePort, `${addressOf("signet-controller")}:${bundlePort}`],
    ];
    const turned = rules.map(
      ([port, to]) => `ip daddr ${this.address} tcp dport ${port} dnat to ${to}`,
    );
    await nft(
      this.node,
      `table ip federation {
        chain in { type nat hook prerouting priority -150; ${turned.join("; ")}; }
        chain out { type nat hook postrouting priority 150; oifname "partner" masquerade; }
      }`,
    );
    const command = ["node", "-e", serve];
    this.#served = this.client
      .exec({ pod: "trade/trader", command }, this.#serving.signal)
      .catch(() => {});
  }

  /** The bundle that is handed to another mesh. */
  bundle(): Promise<string> {
    return this.client.controller("/v1/bundle");
  }

  /** Federates with the other mesh; `change` for objects that must not do what they say. */
  async federate(
    other: FederatedMesh,
    change: Readonly<Record<string, unknown>> = {},
    name = "partner",
  ): Promise<void> {
    const spec = {
      trustDomain: other.trustDomain,
      bundleEndpointURL: `https://${other.address}:${bundlePort}/bundle`,
      bundleEndpointProfile: {
        type: "https_spiffe",
        endpointSPIFFEID: `spiffe://${other.trustDomain}/ns/signet-system/sa/signet-controller`,
      },
      trustDomainBundle: await other.bundle(),
      ...change,
    };
    await this.apply({ kind: "FederatedTrustDomain", metadata: { name }, spec });
  }

  async withdraw(name = "partner"): Promise<void> {
    await this.client.delete({ kind: "FederatedTrustDomain", namespace: "", name });
  }

  /** A Service for the other mesh's pod: its address, and whom it has to prove to be. */
  async declare(other: FederatedMesh, identity: string = other.identity): Promise<void> {
    await this.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "partner", namespace: "trade" },
      spec: { ports: [{ name: "http", port: 80, targetPort: shownPort }] },
    });
    await this.apply({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "partner-1",
        namespace: "trade",
        labels: { "kubernetes.io/service-name": "partner" },
        annotations: { "signet.dev/endpoint-identity": identity },
      },
      addressType: "IPv4",
      ports: [{ name: "http", port: shownPort }],
      endpoints: [{ addresses: [other.address] }],
    });
  }

  /** STRICT, and these of other trust domains. */
  async admit(...foreignCallers: readonly string[]): Promise<void> {
    await this.apply({
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace: "trade" },
      spec: { mtls: { mode: "STRICT" }, foreignCallers },
    });
  }

  async apply(object: Readonly<Record<string, unknown>>): Promise<void> {
    await this.client.apply(JSON.stringify({ apiVersion: "signet.dev/v1alpha1", ...object }));
  }

  /** Body of one answer of the other mesh's pod, or the status or the system's word for its failing. */
  async call(): Promise<string> {
    const script = `fetch("http://partner.trade.svc.cluster.local/who").then(async (answer) => {
      console.log(answer.ok ? await answer.text() : answer.status);
    }, (error) => console.log(error.cause?.code ?? error.message));`;
    const { stdout } = await this.run(script);
    return stdout.trim();
  }

  /** Calls for so long, 20 times a second, by requests that nobody repeats. */
  async load(seconds: number): Promise<LoadReport> {
    const script = `
      const report = { answered: 0, failed: [] };
      const end = Date.now() + ${seconds * 1000};
      const once = () => fetch("http://partner.trade.svc.cluster.local/who", { method: "POST", body: "x" })
        .then(async (answer) => {
          if (answer.ok && (await answer.text()).includes("URI=")) report.answered += 1;
          else report.failed.push(String(answer.status));
        }, (error) => report.failed.push(error.cause?.code ?? error.message));
      (async () => {
        while (Date.now() < end) await Promise.all([once(), new Promise((next) => setTimeout(next, 50))]);
        console.log(JSON.stringify(report));
      })();`;
    const { stdout } = await this.run(script);
    return JSON.parse(stdout) as LoadReport;
  }

  /** Holds a stream of the other mesh's pod; resolves with the milliseconds since the epoch of its end. */
  async hold(seconds: number): Promise<{ readonly bytes: number; readonly endedAt: number }> {
    const script = `
      let bytes = 0;
      const done = () => { console.log(JSON.stringify({ bytes, endedAt: Date.now() })); process.exit(); };
      require("node:http").get("http://partner.trade.svc.cluster.local/drip", (answer) => {
        answer.on("data", (part) => { bytes += part.length; });
        answer.on("error", () => {});
        answer.on("close", done);
      }).on("error", done);
      setTimeout(done, ${seconds * 1000});`;
    const { stdout } = await this.run(script);
    return JSON.parse(stdout) as { bytes: number; endedAt: number };
  }

  run(script: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
    return this.client.exec({ pod: "trade/trader", command: ["node", "-e", script] });
  }

  metrics(): Promise<string> {
    return this.client.metrics("trade/trader");
  }

  /** Replaces its root; resolves when that is done. */
  async rotateRoot(): Promise<void> {
    const id = `test-${Date.now()}`;
    await this.apply({ ...rotationRequest("rotate", "root", id, Date.now()) });
    const deadline = performance.now() + rotationMsMax;
    for (;;) {
      const text = await this.client.controller("/v1/authority").catch(() => "{}");
      const { last, refusal } = JSON.parse(text) as {
        last?: { id: string; end: string };
        refusal?: object;
      };
      if (last?.id === id && last.end === "rotated") return;
      if (performance.now() > deadline) {
        throw new Error(`Its root is not replaced: ${text} ${JSON.stringify(refusal)}`);
      }
      await new Promise((next) => setTimeout(next, 200));
    }
  }

  /** As the read API tells it; by default that with the other mesh. */
  async federation(trustDomain?: string): Promise<Readonly<Record<string, unknown>>> {
    const text = await this.client.controller("/v1/federation");
    const { federations } = JSON.parse(text) as { federations: Record<string, unknown>[] };
    const wanted =
      trustDomain ?? (this.trustDomain === "mesh-a.test" ? "mesh-b.test" : "mesh-a.test");
    return federations.find((each) => each["trustDomain"] === wanted) ?? {};
  }

  async stop(): Promise<void> {
    this.#serving.abort();
    await this.#served;
    await this.#mesh.stop();
    await stopLocal(this.names);
    rmSync(this.names.stateDirectory, { recursive: true, force: true });
  }
}

/** A link between the two nodes. */
export async function joinNodes(one: FederatedMesh, other: FederatedMesh): Promise<void> {
  const pair = `link add partner type veth peer partner netns ${other.node}`;
  await run("ip", ["-n", one.node, ...pair.split(" ")]);
  for (const { node, address } of [one, other]) {
    const up = `addr add ${address}/24 dev partner\nlink set partner up\n`;
    await run("ip", ["-n", node, "-batch", "-"], up);
  }
}

/** By its path: a package's program of that name goes before it in a test's PATH. */
async function nft(namespace: string, rules: string): Promise<void> {
  await run("ip", ["netns", "exec", namespace, "/usr/sbin/nft", "-f", "-"], rules);
}
