// The mesh on this machine, asked through the local runtime's control socket.
import type { MeshError } from "#/lib/errors.ts";
import { clusterDomain } from "#/local/names.ts";
import { LocalClient } from "#/local/client.ts";
import type { PodView } from "#/local/protocol.ts";
import { MeshAccessError } from "./mesh.ts";
import type { ExecuteOptions, Execution, KubernetesObject, Mesh, Pod } from "./mesh.ts";
import { podName } from "./mesh.ts";

const SYSTEM_NAMESPACE = "signet-system";
const CONTROLLER = "signet-controller";
const BUNDLE = "signet-trust-bundle";
/** As many lines as the runtime keeps of a container. */
const LOG_LINES = 400;

interface ConfigMap extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

const node = ["node_modules/node/bin/node", "--disable-warning=ExperimentalWarning"] as const;

/** Names that images would have on their PATH, as commands of the checkout that pods see. */
const programs: Readonly<Record<string, readonly string[]>> = {
  client: [...node, "apps/client/main.ts"],
  node,
};

/** The command as a pod of the local runtime can run it. Pure. */
export function commandInPod([program = "", ...rest]: readonly string[]): readonly string[] {
  return [...(Object.hasOwn(programs, program) ? programs[program]! : [program]), ...rest];
}

export function localMesh(socketPath: string): Mesh {
  const client = new LocalClient(socketPath);
  const container = (action: "kill" | "start"): Promise<void> =>
    client
      .status()
      .then(({ pods }) => pods.find(isController))
      .then((found) => {
        if (found === undefined) throw missingController();
        return client.container({ pod: podName(found), action });
      });
  return {
    place: "this machine",
    // Of one that is gone there is nothing to ask: whatever is asked next says so.
    trustDomain: () =>
      client.status().then(
        (status) => status.trustDomain,
        () => clusterDomain,
      ),
    pods: async () => (await client.status()).pods.map(podOf),
    objects: async (kind) => (await client.objects(kind)) as readonly KubernetesObject[],
    bundle: async () => bundleOf(await client.objects("ConfigMap")),
    apply: async (objects) => {
      await client.apply(objects.map((each) => JSON.stringify(each)).join("\n---\n"));
    },
    remove: (objects) => remove(client, objects),
    execute: (pod, command, options = {}) => execute(client, pod, command, options),
    logs: (pod, name) =>
      client.logs(podName(pod), {
        tail: LOG_LINES,
        ...(name === null ? {} : { container: name }),
      }),
    metrics: (pod) => client.metrics(podName(pod)),
    inspect: async (path) => {
      const text = await client.controller(path);
      try {
        return [JSON.parse(text)];
      } catch (cause) {
        throw new MeshAccessError(
          "unreadable",
          `Cannot read the controller's answer on "${path}"`,
          {
            cause,
          },
        );
      }
    },
    stopController: () => container("kill"),
    startController: () => container("start"),
    logsHint: (pod, name) => `signet local logs ${pod}${name === null ? "" : ` -c ${name}`}`,
  };
}

function bundleOf(configMaps: readonly unknown[]): string | null {
  const found = (configMaps as readonly ConfigMap[]).find(
    ({ metadata }) => metadata.name === BUNDLE,
  );
  return found?.data?.["bundle.pem"] ?? null;
}

/** The other order than for apply: what stands on something goes before it. */
async function remove(client: LocalClient, objects: readonly KubernetesObject[]): Promise<void> {
  for (const { kind, metadata } of objects.toReversed()) {
    await client.delete({ kind, namespace: metadata.namespace ?? "", name: metadata.name });
  }
}

async function execute(
  client: LocalClient,
  pod: Pod,
  command: readonly string[],
  { container, signal }: ExecuteOptions,
): Promise<Execution> {
  signal?.throwIfAborted();
  const call = {
    pod: podName(pod),
    command: commandInPod(command),
    ...(container === undefined ? {} : { container }),
  };
  const { code, stdout, stderr } = await client.exec(call, signal);
  return { exitCode: code, stdout, stderr };
}

function podOf(view: PodView): Pod {
  const { ready: isReady, meshed: isMeshed, ...rest } = view;
  return { ...rest, isReady, isMeshed, node: "this machine" };
}

function isController({ namespace, name }: { namespace: string; name: string }): boolean {
  return namespace === SYSTEM_NAMESPACE && name.startsWith(CONTROLLER);
}

function missingController(): MeshError {
  return new MeshAccessError("not_found", "Cannot find the controller: its pod does not run", {
    next: "Start the mesh anew: signet local down, then signet local up",
  });
}
