// Pods that tests make, and waiting for them.
import { eventually } from "./eventually.ts";
import { getObject, kubectl } from "./kubectl.ts";
import type { ApiObject } from "./kubectl.ts";

/** A pod of one container that idles until somebody runs something in it. */
export function idlePod(name: string, more: Readonly<Record<string, unknown>> = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [idleContainer(name)],
      ...more,
    },
  };
}

export function idleContainer(
  name: string,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const image = { image: "signet/client", imagePullPolicy: "IfNotPresent" };
  return { name, ...image, args: ["--idle"], ...more };
}

/** The pod once all its containers are ready; throws when it is not in time. */
export async function readyPod(namespace: string, name: string): Promise<ApiObject> {
  const wait = ["wait", "--for=condition=Ready", `pod/${name}`, `--namespace=${namespace}`];
  await kubectl([...wait, "--timeout=60s"]);
  return getObject("pod", name, namespace);
}

/** The object once its condition of that type is "True". */
export function withCondition(
  kind: string,
  namespace: string,
  name: string,
  type: string,
): Promise<ApiObject> {
  return eventually(`${kind}/${name} is ${type}`, async () => {
    const object = await getObject(kind, name, namespace);
    const conditions = (object["status"]?.conditions ?? []) as { type: string; status: string }[];
    return conditions.some((each) => each.type === type && each.status === "True") ? object : null;
  });
}
