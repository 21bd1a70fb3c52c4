// Takes the mesh off a cluster, step by step: each step is waited for, because what still runs would put
// back what a later one takes away.
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { sleep } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { orNull } from "../cluster-fault.ts";
import { MeshAccessError } from "../mesh.ts";
import { formatElapsed } from "../text.ts";
import type { Reference } from "./reference.ts";
import { referenceText } from "./reference.ts";
import { findBundles } from "./survey.ts";

export interface RemovalOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For all steps together. */
  readonly timeoutMs: number;
  /** One line for a person when a step begins, and while it takes long. */
  readonly onProgress: (line: string) => void;
}

interface Step {
  readonly what: string;
  readonly kinds: readonly string[];
}

/** All other kinds live in the mesh's namespace and go with it. */
const steps: readonly Step[] = [
  {
    what: "the webhooks, so that pods can be made without the mesh",
    kinds: ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
  },
  { what: "injector and controllers", kinds: ["Deployment", "StatefulSet"] },
  { what: "the trust bundles", kinds: ["ConfigMap"] },
  { what: "the custom resources with their objects", kinds: ["CustomResourceDefinition"] },
  { what: "the cluster roles", kinds: ["ClusterRoleBinding", "ClusterRole"] },
  { what: "the namespace with the root key and the ledgers", kinds: ["Namespace"] },
];

const pollMs = 250;
/** Between two lines about one step that takes long. */
const tellMs = 10_000;
/** What holds up a namespace that does not go: told by its conditions. */
const reasonsMax = 3;

/** Resolves when all of it is gone. Rejects with KubernetesError, and with MeshAccessError when out of time. */
export async function removeMesh(
  found: readonly Reference[],
  options: RemovalOptions,
): Promise<void> {
  const { client, clock, signal, onProgress } = options;
  const endMs = clock.monotonic() + options.timeoutMs;
  for (const { what, kinds } of steps) {
    const named = found.filter(({ kind }) => kinds.includes(kind));
    if (named.length === 0) continue;
    onProgress(`removing ${what}`);
    // A controller may have published one more while it was still there.
    const going = kinds.includes("ConfigMap") ? await findBundles(client) : named;
    await Promise.all(going.map((each) => remove(client, each, signal)));
    await untilGone(going, options, endMs);
  }
}

async function remove(
  client: KubernetesClient,
  { kind, path }: Reference,
  signal: AbortSignal,
): Promise<void> {
  // A workload is gone only after its pods.
  const isWorkload = kind === "Deployment" || kind === "StatefulSet";
  const propagationPolicy = isWorkload ? "Foreground" : "Background";
  const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy };
  await orNull(client.call({ method: "DELETE", path, body, signal }));
}

async function untilGone(
  going: readonly Reference[],
  { client, clock, signal, timeoutMs, onProgress }: RemovalOptions,
  endMs: number,
): Promise<void> {
  const beganMs = clock.monotonic();
  let toldMs = beganMs;
  for (let left = going; ;) {
    const answers = await Promise.all(
      left.map(async (each) => {
        const object = await orNull(client.call({ method: "GET", path: each.path, signal }));
        return object === null ? null : { reference: each, object };
      }),
    );
    const there = answers.filter((each) => each !== null);
    if (there.length === 0) return;
    left = there.map(({ reference }) => reference);
    const nowMs = clock.monotonic();
    const names = left.map(referenceText).join(", ");
    if (nowMs >= endMs) {
      const reasons = there.flatMap(({ object }) => reasonsOf(object)).slice(0, reasonsMax);
      const state = [`${names} is still there after ${formatElapsed(timeoutMs)}`, ...reasons];
      throw new MeshAccessError("failed", `Cannot remove all of the mesh: ${state.join("; ")}`, {
        next: "Run it again: it goes on where it stopped; a longer --timeout waits longer",
      });
    }
    if (nowMs - toldMs >= tellMs) {
      toldMs = nowMs;
      onProgress(`  still there after ${formatElapsed(nowMs - beganMs)}: ${names}`);
    }
    await sleep(clock, pollMs, signal);
    signal.throwIfAborted();
  }
}

interface Terminating {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type?: string;
      readonly status?: string;
      readonly message?: string;
    }[];
  };
}

function reasonsOf(object: unknown): readonly string[] {
  const conditions = (object as Terminating).status?.conditions ?? [];
  return conditions
    .filter(({ type, status }) => type !== "Established" && status === "True")
    .map(({ message = "" }) => message)
    .filter((message) => message !== "");
}
