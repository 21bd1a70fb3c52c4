// The mesh on a Kubernetes cluster, asked through the user's kubeconfig: objects by the API server, the
// controllers' read API and the sidecars' metrics over ports that are forwarded into their pods.
import { collectionPath, apiVersionOf, objectPath } from "#/cluster/kubernetes/resources.ts";
import { listAll } from "#/cluster/kubernetes/list.ts";
import { getOver } from "#/cluster/kubernetes/pod-http.ts";
import { Turnstile } from "#/cluster/kubernetes/turnstile.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Cluster } from "./cluster-access.ts";
import { orNull } from "./cluster-fault.ts";
import { MESH_NAMESPACE } from "./policy.ts";
import { MeshAccessError, podName } from "./mesh.ts";
import type { ExecuteOptions, Execution, KubernetesObject, Mesh, Pod } from "./mesh.ts";

const CONTROLLER = "signet-controller";
const CONTROLLER_LABEL = `app.kubernetes.io/name=${CONTROLLER}`;
const BUNDLE = "signet-trust-bundle";
const BUNDLE_KEY = "bundle.pem";
/** SIGNET_INSPECT_PORT of the controller's manifest. */
const INSPECT_PORT = 8081;
const SIDECAR_ADMIN_PORT = 4100;
const LOG_LINES = 400;
const FIELD_MANAGER = "signet-cli";
/** What is deleted with this is killed, not asked. */
const NO_GRACE = { gracePeriodSeconds: "0" } as const;

/** Ports that are forwarded at the same time; each is a connection through API server and kubelet. */
const askedAtOnce = { runningMax: 16, waitingMax: 100_000, waitMsMax: 120_000 };

export function clusterMesh(cluster: Cluster, clock: Clock): Mesh {
  return new ClusterMesh(cluster, clock);
}

class ClusterMesh implements Mesh {
  readonly place: string;
  readonly #cluster: Cluster;
  readonly #turnstile: Turnstile;
  /** Of the controllers that were stopped; null while they were not. */
  #replicas: number | null = null;

  constructor(cluster: Cluster, clock: Clock) {
    this.#turnstile = new Turnstile(askedAtOnce, clock);
    this.place = cluster.place;
    this.#cluster = cluster;
  }

  async trustDomain(): Promise<string> {
    const [answer] = await this.inspect("/v1/controller");
    const told = (answer as { readonly trustDomain?: unknown }).trustDomain;
    if (typeof told === "string") return told;
    throw new MeshAccessError("unreadable", "Cannot read the controller's trust domain", {
      next: "Command line and mesh may be of different versions: compare with signet version",
    });
  }

  /** Those that run or are about to: what has ended, or is going, is left out. */
  async pods(): Promise<readonly Pod[]> {
    const raw = (await this.#listOrNone(collectionPath("Pod"))) as readonly RawPod[];
    return raw.filter(isLive).map(podOf);
  }

  async objects(kind: string): Promise<readonly KubernetesObject[]> {
    const apiVersion = apiVersionOf(kind);
    const items = await this.#listOrNone(collectionPath(kind));
    return items.map((item) => Object.assign({}, item as KubernetesObject, { kind, apiVersion }));
  }

  async bundle(): Promise<string | null> {
    const path = objectPath({ kind: "ConfigMap", namespace: MESH_NAMESPACE, name: BUNDLE });
    const found = (await orNull(this.#cluster.client.call({ method: "GET", path }))) as {
      data?: Record<string, unknown>;
    } | null;
    const pem = found?.data?.[BUNDLE_KEY];
    return typeof pem === "string" ? pem : null;
  }

  async apply(objects: readonly KubernetesObject[]): Promise<void> {
    for (const object of objects) {
      await this.#cluster.client.call({
        method: "PATCH",
        path: objectPath(nameOf(object)),
        query: { fieldManager: FIELD_MANAGER, force: "true" },
        contentType: "application/apply-patch+yaml",
        body: asWritten(object),
      });
    }
  }

  /** The other order than for apply: what stands on something goes before it. */
  async remove(objects: readonly KubernetesObject[]): Promise<void> {
    for (const object of objects.toReversed()) await this.#delete(objectPath(nameOf(object)));
  }

  async execute(
    pod: Pod,
    command: readonly string[],
    { container, signal }: ExecuteOptions = {},
  ): Promise<Execution> {
    signal?.throwIfAborted();
    const place = { namespace: pod.namespace, pod: pod.name };
    const { exitCode, stdout, stderr } = await this.#cluster.streams.execute(
      { ...place, container: container ?? (await this.#application(pod)) },
      commandInContainer(command),
      signal === undefined ? {} : { signal },
    );
    signal?.throwIfAborted();
    return {
      exitCode: exitCode ?? 1,
      stdout: stdout.toString("utf8"),
      stderr: stderr.toString("utf8"),
    };
  }

  async logs(pod: Pod, container: string | null): Promise<string> {
    return this.#cluster.client.text({
      method: "GET",
      path: `${objectPath({ kind: "Pod", ...pod })}/log`,
      query: {
        container: container ?? (await this.#application(pod)),
        tailLines: String(LOG_LINES),
      },
    });
  }

  metrics(pod: Pod): Promise<string> {
    return this.#get(pod, SIDECAR_ADMIN_PORT, "/metrics");
  }

  async inspect(path: string): Promise<readonly unknown[]> {
    const controllers = await this.#controllers();
    if (controllers.length === 0) {
      throw new MeshAccessError("not_running", `Cannot ask the mesh: ${this.place} has none`, {
        next: "Install it: signet install | kubectl apply --server-side -f -",
      });
    }
    return Promise.all(
      controllers.map(async (pod) => {
        const text = await this.#get(pod, INSPECT_PORT, path);
        try {
          return JSON.parse(text) as unknown;
        } catch (cause) {
          const state = `Cannot read the answer of ${podName(pod)} on "${path}"`;
          throw new MeshAccessError("unreadable", state, { cause });
        }
      }),
    );
  }

  /** All of them at once and without a word: as a crash, not as an upgrade. */
  async stopController(): Promise<void> {
    this.#replicas ??= await this.#scale(0);
    for (const { name, namespace } of await this.#controllers()) {
      await this.#delete(objectPath({ kind: "Pod", namespace, name }), NO_GRACE);
    }
  }

  async startController(): Promise<void> {
    if (this.#replicas === null) return;
    await this.#scale(this.#replicas);
    this.#replicas = null;
  }

  logsHint(pod: string, container: string | null): string {
    const [namespace = "", name = ""] = pod.split("/");
    return `kubectl logs -n ${namespace} ${name}${container === null ? "" : ` -c ${container}`}`;
  }

  /** How many there were. */
  async #scale(replicas: number): Promise<number> {
    const name = { kind: "StatefulSet", namespace: MESH_NAMESPACE, name: CONTROLLER };
    const path = `${objectPath(name)}/scale`;
    const { client } = this.#cluster;
    const before = (await client.call({ method: "GET", path })) as { spec: { replicas?: number } };
    await client.call({
      method: "PATCH",
      path,
      contentType: "application/merge-patch+json",
      body: { spec: { replicas } },
    });
    return before.spec.replicas ?? 1;
  }

  async #controllers(): Promise<readonly Pod[]> {
    const path = collectionPath("Pod", MESH_NAMESPACE);
    const all = await listAll(this.#cluster.client, path, { labelSelector: CONTROLLER_LABEL });
    return (all as readonly RawPod[])
      .filter(isLive)
      .map(podOf)
      .filter(({ isReady }) => isReady);
  }

  #get({ namespace, name }: Pod, port: number, path: string): Promise<string> {
    const ask = async (): Promise<string> => {
      const connection = await this.#cluster.streams.connect({ namespace, pod: name }, port);
      return getOver(connection, `${namespace}/${name}`, path);
    };
    return this.#turnstile.run(
      ask,
      (state) => new MeshAccessError("failed", `Cannot ask ${namespace}/${name}: ${state}`),
    );
  }

  async #application(pod: Pod): Promise<string> {
    const path = objectPath({ kind: "Pod", ...pod });
    const raw = (await this.#cluster.client.call({ method: "GET", path })) as RawPod;
    const containers = raw.spec.containers ?? [];
    return (containers.find(({ name }) => name !== SIDECAR) ?? containers[0])?.name ?? "";
  }

  /** A kind that the cluster does not know has no objects. */
  async #listOrNone(path: string): Promise<readonly unknown[]> {
    return (await orNull(listAll(this.#cluster.client, path))) ?? [];
  }

  async #delete(path: string, query: Readonly<Record<string, string>> = {}): Promise<void> {
    await orNull(this.#cluster.client.call({ method: "DELETE", path, query }));
  }
}

const SIDECAR = "proxy";

/** Names that stand for a program of our images. */
const client = ["node", "--disable-warning=ExperimentalWarning", "apps/client/main.ts"] as const;

function commandInContainer([program = "", ...rest]: readonly string[]): readonly string[] {
  return program === "client" ? [...client, ...rest] : [program, ...rest];
}

interface RawPod {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly serviceAccountName?: string;
    readonly containers?: readonly { readonly name: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

function isLive({ metadata, status }: RawPod): boolean {
  const phase = status?.phase ?? "";
  return metadata.deletionTimestamp === undefined && phase !== "Succeeded" && phase !== "Failed";
}

function podOf({ metadata, spec, status }: RawPod): Pod {
  const { namespace, name } = metadata;
  const conditions = status?.conditions ?? [];
  return {
    namespace,
    name,
    address: status?.podIP ?? "",
    serviceAccount: spec.serviceAccountName ?? "default",
    phase: status?.phase ?? "Unknown",
    isReady: conditions.some((each) => each.type === "Ready" && each.status === "True"),
    isMeshed: metadata.annotations?.["signet.dev/status"] === "injected",
    labels: metadata.labels ?? {},
    ...(spec.nodeName === undefined ? {} : { node: spec.nodeName }),
    ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
  };
}

function nameOf({ kind, metadata }: KubernetesObject): {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
} {
  return { kind, namespace: metadata.namespace ?? "default", name: metadata.name };
}

/** Without what the API server adds, and what it would refuse to be told. */
function asWritten({ status: _status, metadata, ...object }: KubernetesObject): object {
  const { name, namespace, labels, annotations } = metadata;
  return {
    ...object,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}
