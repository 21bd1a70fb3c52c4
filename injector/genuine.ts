// Is the sidecar that stands in a pod ours? A container is not believed for its name: image, user,
// environment, mounts and volumes are compared with what we would have put there (attack case 35).
// What an API server or a limit range fills in (probe timings, pull policy, resources) may differ.
import type { Container, Pod, Volume } from "./pod.ts";
import { probesVariable } from "./probes.ts";
import {
  pinsVariable,
  proxyInitName,
  proxyName,
  tokenVolumeName,
  trustVolumeName,
} from "./sidecar.ts";
import type { Sidecar } from "./sidecar.ts";
import { isCallingMount, workloadUsersVariable, workloadVolumeName } from "./workload-api.ts";

export type SidecarState =
  | { readonly kind: "absent" }
  | { readonly kind: "genuine" }
  | { readonly kind: "foreign"; readonly detail: string };

const reservedContainers: ReadonlySet<string> = new Set([proxyInitName, proxyName]);
/** Mounted in the sidecar and nowhere else. */
const privateVolumes: ReadonlySet<string> = new Set([tokenVolumeName, trustVolumeName]);
const reservedVolumes: ReadonlySet<string> = new Set([...privateVolumes, workloadVolumeName]);

/** Where Kubernetes itself mounts its own token into every container. */
const serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Each of these could change what runs in the container; ours uses only those that we wrote. */
const behaviourFields = [
  "image",
  "restartPolicy",
  "command",
  "args",
  "workingDir",
  "envFrom",
  "lifecycle",
  "volumeDevices",
  "stdin",
  "tty",
] as const;

/** Compares the pod with `expected`; `form` says where the proxy container belongs. */
export function sidecarState(
  pod: Pod,
  expected: Sidecar,
  form: "native" | "classic",
  formerPins: readonly string[] = [],
): SidecarState {
  const init = pod.spec.initContainers ?? [];
  const containers = [...init, ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])];
  const named = containers.filter((container) => reservedContainers.has(container.name));
  const volumes = (pod.spec.volumes ?? []).filter((volume) => reservedVolumes.has(volume.name));
  if (named.length === 0) {
    const taken = volumes[0]?.name ?? mountOf(containers, ({ name }) => reservedVolumes.has(name));
    return taken === undefined ? { kind: "absent" } : foreign(`volume "${taken}" is not ours`);
  }
  if (named.length !== 2) return foreign(`only container "${named[0]!.name}" is there`);
  const home = form === "native" ? init : pod.spec.containers;
  const proxyInit = init.find((container) => container.name === proxyInitName);
  const proxy = home.find((container) => container.name === proxyName);
  if (proxyInit === undefined) return foreign(`container "${proxyInitName}" is in the wrong list`);
  if (proxy === undefined) return foreign(`container "${proxyName}" is in the wrong list`);
  if (form === "native" && init.indexOf(proxyInit) > init.indexOf(proxy)) {
    return foreign(`container "${proxyInitName}" comes after "${proxyName}"`);
  }
  const difference =
    containerDifference(proxyInit, expected.init) ??
    containerDifference(withPresentPins(proxy, expected.proxy, formerPins), expected.proxy) ??
    volumesDifference(volumes, expected.volumes);
  if (difference !== null) return foreign(difference);
  const others = containers.filter((each) => each !== proxy);
  const replaceable = mountOf(
    others,
    (mount) => mount.name === workloadVolumeName && !isCallingMount(mount),
  );
  if (replaceable !== undefined)
    return foreign(`volume "${replaceable}" is mounted in another way`);
  const taken = mountOf(others, ({ name }) => privateVolumes.has(name));
  return taken === undefined
    ? { kind: "genuine" }
    : foreign(`volume "${taken}" is mounted elsewhere, too`);
}

function foreign(detail: string): SidecarState {
  return { kind: "foreign", detail };
}

type Mount = NonNullable<Container["volumeMounts"]>[number];

/** The name of the first volume that is mounted in a way that `test` tells of. */
function mountOf(
  containers: readonly Container[],
  test: (mount: Mount) => boolean,
): string | undefined {
  return containers.flatMap((container) => container.volumeMounts ?? []).find(test)?.name;
}

function containerDifference(actual: Container, expected: Container): string | null {
  const at = (field: string): string => `container "${expected.name}" has a different "${field}"`;
  const found = actual as unknown as Record<string, unknown>;
  const wanted = expected as unknown as Record<string, unknown>;
  for (const field of behaviourFields) {
    if (!isSame(blank(found[field]), blank(wanted[field]))) return at(field);
  }
  if (!isSame(actual.securityContext, expected.securityContext)) return at("securityContext");
  if (!covers(compared(actual), compared(expected))) return at("env");
  const mounts = (actual.volumeMounts ?? []).filter(
    (mount) => mount.mountPath !== serviceAccountDirectory,
  );
  if (!covers(mounts, expected.volumeMounts ?? [])) return at("volumeMounts");
  return null;
}

/**
 * A pod that was injected while other roots were in force pins those; as long as links lead on from them
 * that is as good. Anything else in the list is somebody else's root.
 */
function withPresentPins(
  actual: Container,
  expected: Container,
  formerPins: readonly string[],
): Container {
  const wanted = expected.env?.find(({ name }) => name === pinsVariable)?.value ?? "";
  const known = new Set([...wanted.split(","), ...formerPins]);
  const isKnown = (value: unknown): boolean =>
    typeof value === "string" && value.split(",").every((pin) => known.has(pin));
  const at = actual.env?.findIndex(({ name }) => name === pinsVariable) ?? -1;
  const pinned = actual.env?.[at];
  if (actual.env === undefined || pinned === undefined || !isKnown(pinned.value)) return actual;
  return { ...actual, env: actual.env.with(at, { ...pinned, value: wanted }) };
}

/**
 * Without the probes: once they are turned the pod does not tell any more what they were, and they open
 * nothing but the pod's own ports to a yes or no. And without the users that the Workload API serves: another
 * webhook may add a container, and whoever writes the pod has its identity anyway.
 */
function compared({ env = [] }: Container): Container["env"] {
  return env.filter(({ name, value }) => !ofThePod.has(name) || typeof value !== "string");
}

const ofThePod: ReadonlySet<string> = new Set([probesVariable, workloadUsersVariable]);

function volumesDifference(actual: readonly Volume[], expected: readonly Volume[]): string | null {
  for (const volume of expected) {
    const found = actual.filter((each) => each.name === volume.name);
    if (found.length !== 1 || !covers(found[0], volume)) {
      return `volume "${volume.name}" is missing or different`;
    }
  }
  const extra = actual.find(({ name }) => !expected.some((volume) => volume.name === name));
  return extra === undefined ? null : `volume "${extra.name}" was not asked for`;
}

/** Empty lists, false and null are how the API server may write "not set". */
function blank(value: unknown): unknown {
  const empty = value === null || value === false || (Array.isArray(value) && value.length === 0);
  return empty ? undefined : value;
}

/** Deep: lists agree in length and order; objects may hold keys beyond those expected (defaults). */
function covers(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((item, index) => covers(actual[index], item));
  }
  if (typeof expected !== "object" || expected === null) return actual === expected;
  if (typeof actual !== "object" || actual === null || Array.isArray(actual)) return false;
  return Object.entries(expected).every(([key, value]) =>
    covers((actual as Record<string, unknown>)[key], value),
  );
}

function isSame(actual: unknown, expected: unknown): boolean {
  return covers(actual, expected) && covers(expected, actual);
}
