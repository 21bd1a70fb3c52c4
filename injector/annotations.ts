// Everything a pod may say about its sidecar, read in one place. A value that cannot be read, or a
// signet.dev/ annotation that nobody knows, is refused: a typing mistake in an exclusion or a lifetime
// must never end in a default that its writer did not ask for.
import { MeshError } from "#/lib/errors.ts";
import type { Labels } from "./pod.ts";

export type AnnotationErrorCode =
  | "annotation_unknown"
  | "annotation_invalid"
  | "port_not_excludable";

export class AnnotationError extends MeshError<AnnotationErrorCode> {}

/** What a pod's annotations ask of its sidecar; every list is sorted and free of doubles. */
export interface PodOptions {
  /** Seconds; null asks for the CA's default. */
  readonly svidLifetimeS: number | null;
  readonly opaquePorts: readonly number[];
  readonly excludeInboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  /** The pod's own processes get an identity, by the SPIFFE Workload API. */
  readonly workloadApi: boolean;
  /** Threads of the sidecar that carry traffic: how many cores it can use. */
  readonly workers: number;
}

export interface ExcludablePorts {
  readonly inbound: readonly number[];
  readonly outbound: readonly number[];
}

export const injectKey = "signet.dev/inject";
export const statusKey = "signet.dev/status";
export const statusInjected = "injected";

const lifetimeKey = "signet.dev/svid-lifetime";
const opaqueKey = "signet.dev/opaque-ports";
const excludeInboundKey = "signet.dev/exclude-inbound-ports";
const excludeOutboundKey = "signet.dev/exclude-outbound-ports";
export const workloadApiKey = "signet.dev/workload-api";
const workersKey = "signet.dev/workers";

const knownKeys: ReadonlySet<string> = new Set([
  injectKey,
  statusKey,
  lifetimeKey,
  opaqueKey,
  excludeInboundKey,
  excludeOutboundKey,
  workloadApiKey,
  workersKey,
]);

/** The lifetimes that the CA grants: 30 s to 24 h. */
const lifetimeSMin = 30;
const lifetimeSMax = 86_400;
/** As many as a sidecar takes. */
const workersMax = 8;
/** Ports in one list: each becomes a rule or a table entry in every pod. */
const portsMax = 64;

/** Reads all signet.dev annotations. Throws AnnotationError at the first that cannot stand. */
export function readAnnotations(annotations: Labels, excludable: ExcludablePorts): PodOptions {
  for (const key of Object.keys(annotations)) {
    if (key.startsWith("signet.dev/") && !knownKeys.has(key)) throw unknownKey(key);
  }
  return {
    svidLifetimeS: readLifetime(annotations[lifetimeKey]),
    opaquePorts: readPorts(opaqueKey, annotations[opaqueKey]),
    excludeInboundPorts: readExcluded(excludeInboundKey, annotations, excludable.inbound),
    excludeOutboundPorts: readExcluded(excludeOutboundKey, annotations, excludable.outbound),
    workloadApi: readSwitch(workloadApiKey, annotations[workloadApiKey]),
    workers: readWorkers(annotations[workersKey]),
  };
}

function readSwitch(key: string, text: string | undefined): boolean {
  if (text === undefined || text === "disabled") return false;
  if (text === "enabled") return true;
  throw invalid(key, text, "neither on nor off", 'Write "enabled" or "disabled"');
}

function readWorkers(text: string | undefined): number {
  if (text === undefined) return 1;
  const workers = /^[1-9]$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= workersMax) return workers;
  const next = `Write a whole number from 1 to ${workersMax}`;
  throw invalid(workersKey, text, `not a number from 1 to ${workersMax}`, next);
}

/** Whole seconds, minutes or hours, each once and in falling order: `30s`, `15m`, `1h30m`. */
function readLifetime(text: string | undefined): number | null {
  if (text === undefined) return null;
  const match = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?$/.exec(text);
  if (match === null || text === "") {
    throw invalid(lifetimeKey, text, "not a duration", "Write it like 30s, 15m or 1h30m");
  }
  const [, hours, minutes, seconds] = match;
  const total = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
  if (total < lifetimeSMin || total > lifetimeSMax) {
    throw invalid(lifetimeKey, text, "outside 30s to 24h", "Choose a lifetime between 30s and 24h");
  }
  return total;
}

function readExcluded(key: string, annotations: Labels, allowed: readonly number[]): number[] {
  const ports = readPorts(key, annotations[key]);
  const foreign = ports.find((port) => !allowed.includes(port));
  if (foreign === undefined) return ports;
  const list = allowed.length === 0 ? "none is" : `only ${allowed.join(", ")} may be`;
  throw new AnnotationError(
    "port_not_excludable",
    `Cannot exclude port ${foreign} by "${key}": ${list} excluded in this mesh`,
    { next: "Ask whoever runs the mesh to add the port to the injector's excludable ports" },
  );
}

function readPorts(key: string, text: string | undefined): number[] {
  if (text === undefined) return [];
  const ports = new Set<number>();
  for (const part of text.split(",")) {
    const digits = part.trim();
    const port = /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : 0;
    if (port < 1 || port > 65_535) {
      const next = "Write port numbers from 1 to 65535, separated by commas";
      throw invalid(key, text, `"${digits.slice(0, 40)}" is not a port`, next);
    }
    ports.add(port);
  }
  if (ports.size > portsMax) {
    throw invalid(key, text, `more than ${portsMax} ports`, `Name at most ${portsMax} ports`);
  }
  return [...ports].sort((a, b) => a - b);
}

function unknownKey(key: string): AnnotationError {
  const known = [...knownKeys].filter((name) => name !== statusKey).join(", ");
  return new AnnotationError(
    "annotation_unknown",
    `Cannot use annotation "${key}": it is unknown`,
    {
      next: `Use one of ${known}`,
    },
  );
}

function invalid(key: string, text: string, state: string, next: string): AnnotationError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  const message = `Cannot read annotation "${key}" with value "${shown}": ${state}`;
  return new AnnotationError("annotation_invalid", message, { next });
}
