// kubectl against the cluster of KUBECONFIG: objects in and out as data, commands inside of pods.
import { run, succeed } from "../command.ts";
import type { CommandResult } from "../command.ts";

/** An object as the API server has it. Fields beyond these are read by whoever knows the kind. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  // oxlint-disable-next-line typescript/no-explicit-any -- the kinds are many, and tests know theirs
  readonly [field: string]: any;
}

const timeoutMsDefault = 120_000;

/** Stdout of a call that must succeed; throws with what kubectl said. */
export function kubectl(
  parameters: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<string> {
  return succeed("kubectl", parameters, { timeoutMs: timeoutMsDefault, ...options });
}

/** A call that may be refused: exit code and both streams. */
export function tryKubectl(
  parameters: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  return run("kubectl", parameters, { timeoutMs: timeoutMsDefault, ...options });
}

/** One object; throws when it is not there. Namespace "" for kinds that live in none. */
export async function getObject(kind: string, name: string, namespace: string): Promise<ApiObject> {
  const text = await kubectl(["get", kind, name, ...within(namespace), "--output=json"]);
  return JSON.parse(text) as ApiObject;
}

/** All objects of a kind, in the API server's order; `selector` as kubectl's --selector. */
export async function listObjects(
  kind: string,
  namespace: string,
  selector = "",
): Promise<readonly ApiObject[]> {
  const chosen = selector === "" ? [] : [`--selector=${selector}`];
  const text = await kubectl(["get", kind, ...within(namespace), ...chosen, "--output=json"]);
  return (JSON.parse(text) as { items: ApiObject[] }).items;
}

/** Server-side apply of objects that name no namespace of their own into `namespace`. */
export async function applyObjects(objects: readonly object[], namespace: string): Promise<void> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const apply = ["apply", "--server-side", "--field-manager=signet-test", "--filename=-"];
  await kubectl([...apply, ...within(namespace)], { input });
}

/** Creates one object and returns the API server's answer: for reviews, and for names it makes up. */
export async function createObject(object: object, namespace: string): Promise<ApiObject> {
  const create = ["create", "--filename=-", "--output=json", ...within(namespace)];
  return JSON.parse(await kubectl(create, { input: JSON.stringify(object) })) as ApiObject;
}

/** Runs a command in a container; never rejects for its exit code. */
export function execute(
  target: { readonly namespace: string; readonly pod: string; readonly container?: string },
  command: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  const container = target.container === undefined ? [] : [`--container=${target.container}`];
  const stdin = options.input === undefined ? [] : ["--stdin"];
  const place = ["exec", target.pod, ...within(target.namespace), ...container, ...stdin];
  return tryKubectl([...place, "--", ...command], options);
}

function within(namespace: string): readonly string[] {
  return namespace === "" ? [] : [`--namespace=${namespace}`];
}
