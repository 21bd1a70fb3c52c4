// Registers tests that have a namespace of their own on the cluster. It goes when the test ends; when
// the test fails, what its pods and events say is logged first.
import test from "ava";
import type { ExecutionContext } from "ava";
import { randomBytes } from "node:crypto";
import { kubectl, tryKubectl } from "./kubectl.ts";

export interface TestNamespace {
  readonly name: string;
}

export interface NamespaceOptions {
  readonly labels?: Readonly<Record<string, string>>;
}

const readyMs = 30_000;
const logLines = 20;

/** A test that may run beside others. */
export function clusterTest(
  title: string,
  body: (t: ExecutionContext, namespace: TestNamespace) => Promise<void>,
  options: NamespaceOptions = {},
): void {
  test(title, (t) => inNamespace(t, options, body));
}

/** A test that disturbs the whole cluster: no other of its file runs meanwhile. */
export function disturbingTest(
  title: string,
  body: (t: ExecutionContext, namespace: TestNamespace) => Promise<void>,
  options: NamespaceOptions = {},
): void {
  test.serial(title, (t) => inNamespace(t, options, body));
}

async function inNamespace(
  t: ExecutionContext,
  options: NamespaceOptions,
  body: (t: ExecutionContext, namespace: TestNamespace) => Promise<void>,
): Promise<void> {
  const name = `signet-test-${randomBytes(4).toString("hex")}`;
  const metadata = { name, labels: options.labels ?? {} };
  const input = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata });
  await kubectl(["create", "--filename=-"], { input });
  try {
    // Pods are refused before their ServiceAccount is there.
    const created = ["wait", "--for=create", "serviceaccount/default", `--namespace=${name}`];
    await kubectl([...created, "--timeout=30s"], { timeoutMs: readyMs });
    await body(t, { name });
    if (!t.passed) t.log(await account(name));
  } catch (error) {
    t.log(await account(name));
    throw error;
  } finally {
    await kubectl(["delete", "namespace", name, "--wait=false"]);
  }
}

/** Pods, events and the ends of the logs of a namespace, as text. */
async function account(namespace: string): Promise<string> {
  const within = `--namespace=${namespace}`;
  const pods = await tryKubectl(["get", "pods", within, "--output=wide"]);
  const events = await tryKubectl(["get", "events", within, "--sort-by=.lastTimestamp"]);
  const names = await tryKubectl(["get", "pods", within, "--output=name"]);
  const texts = [pods.stdout, events.stdout];
  for (const pod of names.stdout.split("\n").filter((each) => each !== "")) {
    const logs = ["logs", pod, within, "--all-containers", "--prefix", `--tail=${logLines}`];
    texts.push((await tryKubectl(logs)).stdout);
  }
  return texts.join("\n");
}
