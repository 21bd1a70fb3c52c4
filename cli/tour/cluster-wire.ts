// The links of pods on a cluster's nodes: a pod of ours on each node, in the node's own network, listens.
// Its image has tcpdump.
import { objectPath } from "#/cluster/kubernetes/resources.ts";
import type { CommandEnd } from "#/cluster/kubernetes/pod-streams.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import type { Cluster } from "../cluster-access.ts";
import { MeshAccessError } from "../mesh.ts";
import type { KubernetesObject, Mesh, Pod } from "../mesh.ts";
import { CAPTURE_END_MS, UntilListening, tcpdumpOf } from "./wire.ts";
import type { Heard, Wire } from "./wire.ts";

/** Without the mesh, and without rules that would refuse a pod in the node's network. */
const NAMESPACE = "outside";
const CONTAINER = "tcpdump";
const READY_MS = 60_000;
const POLL_MS = 200;

export function clusterWire(cluster: Cluster, mesh: Mesh, clock: Clock): Wire {
  return {
    async listen(pods, images, signal) {
      const nodes = [...new Set(await Promise.all(pods.map((each) => nodeOf(cluster, each))))];
      const listeners = nodes.map((node, index) => listenerOn(node, index, images("tour")));
      const stop = new AbortController();
      const either = AbortSignal.any([stop.signal, signal]);
      const remove = async (): Promise<void> => {
        stop.abort();
        await mesh.remove(listeners);
      };
      const start = async ({ metadata: { name } }: KubernetesObject): Promise<Run> => {
        const place = { namespace: NAMESPACE, pod: name, container: CONTAINER };
        const listening = new UntilListening();
        const options = { signal: either, onStderr: listening.onStderr };
        const ended = cluster.streams.execute(place, tcpdumpOf(pods), options);
        await listening.wait(ended, clock, signal);
        return { ended };
      };
      let running: readonly Run[];
      try {
        await mesh.apply(listeners);
        await ready(mesh, clock, listeners, signal);
        running = await Promise.all(listeners.map(start));
      } catch (thrown) {
        await remove();
        throw thrown;
      }
      return {
        async stop(): Promise<Heard> {
          await sleep(clock, CAPTURE_END_MS, signal);
          stop.abort();
          const ends = await Promise.all(running.map(({ ended }) => ended));
          return {
            captures: ends.map(({ stdout }) => stdout).filter(({ length }) => length > 0),
            complaint: ends.map(({ stderr }) => stderr.toString("utf8").trim()).join("; "),
          };
        },
        [Symbol.asyncDispose]: remove,
      };
    },
  };
}

interface Run {
  readonly ended: Promise<CommandEnd>;
}

async function nodeOf({ client }: Cluster, { namespace, name }: Pod): Promise<string> {
  const path = objectPath({ kind: "Pod", namespace, name });
  const pod = (await client.call({ method: "GET", path })) as { spec: { nodeName?: string } };
  return pod.spec.nodeName ?? "";
}

async function ready(
  mesh: Mesh,
  clock: Clock,
  listeners: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<void> {
  const names = listeners.map(({ metadata }) => metadata.name);
  const deadline = clock.monotonic() + READY_MS;
  for (;;) {
    const pods = await mesh.pods();
    const isReady = (name: string): boolean =>
      pods.some((pod) => pod.namespace === NAMESPACE && pod.name === name && pod.isReady);
    if (names.every(isReady)) return;
    if (clock.monotonic() > deadline) {
      throw new MeshAccessError(
        "failed",
        "Cannot listen on the pods' links: no pod for it starts",
        {
          next: `See: kubectl describe pod -n ${NAMESPACE} ${names.join(" ")}`,
        },
      );
    }
    await sleep(clock, POLL_MS, signal);
  }
}

function listenerOn(node: string, index: number, image: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `tour-listener-${index}`, namespace: NAMESPACE },
    spec: {
      nodeName: node,
      hostNetwork: true,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: [
        {
          name: CONTAINER,
          image,
          imagePullPolicy: "IfNotPresent",
          args: ["--idle"],
          securityContext: {
            runAsUser: 0,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            // To listen; and tcpdump changes to the user it is told, also to the one it is.
            capabilities: { add: ["NET_RAW", "SETGID", "SETUID"], drop: ["ALL"] },
            seccompProfile: { type: "RuntimeDefault" },
          },
        },
      ],
    },
  };
}
