// What tests run in the mesh: our applications as objects, and requests from one to another.
import { eventually } from "./eventually.ts";
import { applyObjects, execute } from "./kubectl.ts";
import { rollout } from "./mesh.ts";
import { idlePod, readyPod, withCondition } from "./pods.ts";

const disturbAfterMs = 4_000;

/** Labels of a namespace whose pods get sidecars. */
export const meshed = { labels: { "signet.dev/inject": "enabled" } } as const;

export interface PodSpecOptions {
  readonly container?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** A pod of one container called like itself, labelled `app`. */
export function pod(name: string, image: string, options: PodSpecOptions = {}): object {
  const { container = {}, spec = {}, metadata = {} } = options;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name }, ...metadata },
    spec: {
      terminationGracePeriodSeconds: 6,
      containers: [{ name, image, imagePullPolicy: "IfNotPresent", ...container }],
      ...spec,
    },
  };
}

export const appB: object = pod("app-b", "signet/app-b");
export const client: object = idlePod("client");

/** Two pods of app-b that are ready once they answer. */
export function appBDeployment(terminationGracePeriodSeconds: number): object {
  const readinessProbe = { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 1 };
  const { metadata, spec } = pod("app-b", "signet/app-b", {
    container: { readinessProbe },
    spec: { terminationGracePeriodSeconds },
  }) as { metadata: { labels: object }; spec: object };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "app-b" },
    spec: {
      replicas: 2,
      selector: { matchLabels: metadata.labels },
      template: { metadata: { labels: metadata.labels }, spec },
    },
  };
}

/** Runs our client once, as `container` says. */
export function job(name: string, container: Readonly<Record<string, unknown>>): object {
  const image = { image: "signet/client", imagePullPolicy: "IfNotPresent" };
  const containers = [{ name, ...image, ...container }];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: { backoffLimit: 0, template: { spec: { restartPolicy: "Never", containers } } },
  };
}

/** Port 80 to 8080 of the pods labelled so. */
export function service(name: string, spec: Readonly<Record<string, unknown>> = {}): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: {
      selector: { app: name },
      ports: [{ name: "http", port: 80, targetPort: 8080 }],
      ...spec,
    },
  };
}

export function policy(mode: "STRICT" | "PERMISSIVE"): object {
  return {
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: { name: "default" },
    spec: { mtls: { mode } },
  };
}

/** The status that the pod `client` of a namespace gets for a URL; 0: no answer. */
export async function statusOf(namespace: string, url: string): Promise<number> {
  const script = `require("http").get(process.argv[1], { agent: false }, (response) => {
    response.resume(); console.log(response.statusCode) }).on("error", () => console.log(0))`;
  const target = { namespace, pod: "client", container: "client" };
  const { stdout } = await execute(target, ["node", "-e", script, url]);
  return Number(stdout.trim());
}

export interface LoadSummary {
  readonly statuses: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
}

/** Paced load from the pod `client` of a namespace, for so many seconds. */
export async function load(
  namespace: string,
  url: string,
  ratePerS: number,
  durationS: number,
): Promise<LoadSummary> {
  const program = ["node", "apps/client/main.ts", "--json", `--rate=${ratePerS}`];
  const command = [...program, `--duration=${durationS}`, "--concurrency=64", url];
  const target = { namespace, pod: "client", container: "client" };
  const { stdout, stderr } = await execute(target, command, {
    timeoutMs: durationS * 1000 + 30_000,
  });
  try {
    return JSON.parse(stdout) as LoadSummary;
  } catch {
    throw new Error(`The load ended without a summary: ${stdout} ${stderr}`);
  }
}

export interface Pace {
  readonly ratePerS: number;
  readonly durationS: number;
}

/** A busy machine asks later than it was told to, and then less often. */
const askedShareMin = 0.5;

/** What went wrong with a load, in words; "" when every request was answered 200, and enough were made. */
export function faultOf({ statuses, errors }: LoadSummary, { ratePerS, durationS }: Pace): string {
  const { "200": answered = 0, ...others } = statuses;
  const failed = { ...others, ...errors };
  if (Object.keys(failed).length > 0) return `failed: ${JSON.stringify(failed)}`;
  const due = ratePerS * durationS;
  return answered < askedShareMin * due ? `${answered} requests of ${due}` : "";
}

/** Load on a new app-b of the namespace, and `disturb` after some seconds of it. */
export async function underLoad(
  namespace: string,
  { ratePerS, durationS }: Pace,
  disturb: () => Promise<void>,
): Promise<LoadSummary> {
  await applyObjects([appBDeployment(15), service("app-b"), client], namespace);
  await withCondition("deployment", namespace, "app-b", "Available");
  await rollout("deployment/app-b", namespace);
  await readyPod(namespace, "client");
  const url = `http://app-b.${namespace}/hello`;
  await eventually("app-b answers", async () =>
    (await statusOf(namespace, url)) === 200 ? true : null,
  );
  const loaded = load(namespace, url, ratePerS, durationS);
  await new Promise((resolve) => setTimeout(resolve, disturbAfterMs));
  await disturb();
  return loaded;
}
