// Kubelet's probes and HTTP hooks, relayed. Kubelet has no identity: a strict sidecar would refuse it,
// and to let "the node's addresses" through would mean another address with every network plug-in. So
// each probe is turned to the sidecar's own port, which performs exactly the check that was declared and
// tells whether it passed. Nothing else is opened, and nobody learns more than yes or no. Pure.
import type { Probe, Probes } from "#/api/probe.ts";
import type { PatchOperation } from "./apply-patch.ts";
import type { Container, Pod } from "./pod.ts";

export const probesVariable = "SIGNET_PROBES";
/** Of the sidecar. */
export const adminPort = 4100;
const pathPrefix = "/probe/";

export interface Relay {
  readonly probes: Probes;
  /** Turns them in the pod; for its containers where they stand before anything is added. */
  readonly patch: readonly PatchOperation[];
}

type Loose = Readonly<Record<string, unknown>>;

const probeFields = ["startupProbe", "livenessProbe", "readinessProbe"] as const;
const hookFields = ["postStart", "preStop"] as const;
const timeoutSDefault = 1;
/** A hook has as long as the pod has to stop; kubelet itself gives up after the grace period. */
const hookTimeoutS = 30;

/** All that kubelet asks over the network of the containers that are not ours. */
export function relayProbes({ spec }: Pod): Relay {
  const probes: Record<string, Probe> = {};
  const patch: PatchOperation[] = [];
  for (const list of ["initContainers", "containers"] as const) {
    for (const [at, container] of (spec[list] ?? []).entries()) {
      for (const { name, path, handler, timeoutS } of handlersOf(container)) {
        const probe = read(handler, container, timeoutS);
        if (probe === null) continue;
        const key = `${container.name}/${name}`;
        probes[key] = probe;
        const { tcpSocket: _tcp, grpc: _grpc, ...kept } = handler;
        const httpGet = { path: `${pathPrefix}${key}`, port: adminPort, scheme: "HTTP" };
        patch.push({
          op: "replace",
          path: `/spec/${list}/${at}/${path}`,
          value: { ...kept, httpGet },
        });
      }
    }
  }
  return { probes, patch };
}

interface Handler {
  readonly name: string;
  /** Within the container. */
  readonly path: string;
  readonly handler: Loose;
  readonly timeoutS: number;
}

function handlersOf(container: Container): Handler[] {
  const loose = container as unknown as Loose;
  const found: Handler[] = [];
  for (const field of probeFields) {
    const handler = loose[field];
    if (!isRecord(handler)) continue;
    const timeout = handler["timeoutSeconds"];
    const timeoutS = typeof timeout === "number" && timeout > 0 ? timeout : timeoutSDefault;
    found.push({ name: field.replace("Probe", ""), path: field, handler, timeoutS });
  }
  const { lifecycle } = loose;
  for (const field of hookFields) {
    const handler = isRecord(lifecycle) ? lifecycle[field] : undefined;
    if (!isRecord(handler)) continue;
    found.push({ name: field, path: `lifecycle/${field}`, handler, timeoutS: hookTimeoutS });
  }
  return found;
}

/** null: asked without the network (exec, sleep), of another host, or turned already. */
function read(handler: Loose, container: Container, timeoutS: number): Probe | null {
  const { httpGet, tcpSocket, grpc } = handler;
  if (isRecord(httpGet) && !isSet(httpGet["host"])) {
    const port = portOf(httpGet["port"], container);
    const path =
      typeof httpGet["path"] === "string" && httpGet["path"] !== "" ? httpGet["path"] : "/";
    if (port === null || (port === adminPort && path.startsWith(pathPrefix))) return null;
    const secure = httpGet["scheme"] === "HTTPS";
    const headers = headersOf(httpGet["httpHeaders"]);
    return { kind: "http", port, path, secure, headers, timeoutS };
  }
  if (isRecord(tcpSocket) && !isSet(tcpSocket["host"])) {
    const port = portOf(tcpSocket["port"], container);
    return port === null ? null : { kind: "tcp", port, timeoutS };
  }
  if (isRecord(grpc)) {
    const port = portOf(grpc["port"], container);
    const service = typeof grpc["service"] === "string" ? grpc["service"] : "";
    return port === null ? null : { kind: "grpc", port, service, timeoutS };
  }
  return null;
}

function portOf(value: unknown, { ports = [] }: Container): number | null {
  const number =
    typeof value === "string"
      ? (ports.find(({ name }) => name === value)?.containerPort ?? Number(value))
      : value;
  return typeof number === "number" && Number.isInteger(number) && number > 0 && number < 65_536
    ? number
    : null;
}

function headersOf(value: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((each: unknown) => isRecord(each))
    .map(({ name, value: text }) => [String(name), String(text)] as const);
}

function isSet(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isRecord(value: unknown): value is Loose {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
