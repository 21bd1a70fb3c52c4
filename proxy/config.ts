// The sidecar's configuration: what the injector writes into the pod, read once.
import { isIP } from "node:net";
import path from "node:path";
import type { Probes } from "#/api/probe.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { list, logLevel, readConfig, seconds, wholeNumber, z } from "#/lib/config.ts";
import type { Environment } from "#/lib/config.ts";
import { messageOf } from "#/lib/errors.ts";
import { normalizeIp, parseHostPort } from "#/lib/ip.ts";
import type { LogLevel } from "#/lib/log.ts";
import { connectionsMaxDefault } from "./overload/connection-limits.ts";
import { defaultPressureLimits, pressureLimits } from "./overload/pressure.ts";
import type { PressureLimits } from "./overload/pressure.ts";
import { parseProbes } from "./probe/probe.ts";

/** Each costs memory, and a sidecar beside an application has no more cores to itself than this. */
export const workersMax = 8;

export interface ProxyConfig {
  readonly pod: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    /** The pod's own addresses, the first one being where its application is dialled. */
    readonly addresses: readonly string[];
    readonly serviceAccount: string;
  };
  readonly trustDomain: TrustDomain;
  readonly controller: { readonly host: string; readonly port: number };
  /** SHA-256 of the DER, lower-case hex. */
  readonly rootFingerprints: readonly string[];
  readonly trustBundleFile: string;
  readonly tokenFile: string;
  /** Asked of the CA; 0: its default. */
  readonly svidLifetimeSeconds: number;
  /** Never sniffed: server-first or private protocols. */
  readonly opaquePorts: ReadonlySet<number>;
  /** Checks of the application that kubelet asks of us. */
  readonly probes: Probes;
  /** null: the pod did not ask for it. */
  readonly workloadApi: WorkloadApiConfig | null;
  /** When new work is refused. */
  readonly pressure: PressureLimits;
  /** In each direction, at most: fewer where the system grants fewer descriptors. */
  readonly connectionsMax: number;
  /** Threads that carry traffic; 1: the one that speaks with the controller does it itself. */
  readonly workers: number;
  readonly drainMs: number;
  readonly logLevel: LogLevel;
}

export interface WorkloadApiConfig {
  readonly socketPath: string;
  /** The users that the pod's containers run as; null: its spec does not tell. */
  readonly users: ReadonlySet<number> | null;
}

/** sockaddr_un holds 108 bytes with its end. */
const socketPathBytesMax = 107;
/** Ports of protocols in which the server speaks first, and of those too particular to sniff. */
const opaquePortsDefault = [25, 587, 3306, 4444, 5432, 6379, 9300, 11_211];

/** What `parse` makes of a text; what it throws becomes a fault of the variable. */
const parsed = <T>(parse: (text: string) => T): z.ZodPipe<z.ZodString, z.ZodTransform<T, string>> =>
  z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  });

const address = z.string().refine((text) => isIP(text) !== 0, "not an address");
const fingerprint = z.string().regex(/^[0-9a-f]{64}$/i, "not 64 hexadecimal digits (SHA-256)");
const socketPath = z
  .string()
  .refine((text) => path.isAbsolute(text), "not an absolute path")
  .refine((text) => text.length <= socketPathBytesMax, `longer than ${socketPathBytesMax} bytes`);
const userId = z.string().regex(/^\d{1,10}$/, "not a user's number");
const portText = z.string().regex(/^[1-9]\d{0,4}$/, "not a port number");

const schema = z.object({
  POD_NAME: z.string().min(1),
  POD_NAMESPACE: z.string().min(1),
  POD_UID: z.string().min(1),
  POD_IP: address,
  POD_IPS: list().pipe(z.array(address)).optional(),
  SERVICE_ACCOUNT: z.string().min(1),
  SIGNET_TRUST_DOMAIN: parsed(parseTrustDomain),
  SIGNET_CONTROLLER_ADDRESS: parsed(parseHostPort),
  SIGNET_ROOT_FINGERPRINTS: list().pipe(z.array(fingerprint).min(1, "no root may be trusted")),
  SIGNET_TRUST_BUNDLE_FILE: z.string().min(1),
  SIGNET_TOKEN_FILE: z.string().min(1),
  SIGNET_SVID_LIFETIME_S: seconds(30, 86_400).optional(),
  SIGNET_OPAQUE_PORTS: list()
    .pipe(z.array(portText.pipe(z.coerce.number<string>().max(65_535))))
    .optional(),
  SIGNET_PROBES: parsed(parseProbes).optional(),
  SIGNET_WORKLOAD_SOCKET: socketPath.optional(),
  SIGNET_WORKLOAD_USERS: list()
    .pipe(z.array(userId.pipe(z.coerce.number<string>().max(4_294_967_294))).min(1, "empty"))
    .optional(),
  SIGNET_OVERLOAD_LAG_MS: wholeNumber(1, 60_000).default(defaultPressureLimits.lagMs),
  SIGNET_OVERLOAD_MEMORY_PERCENT: wholeNumber(1, 99).default(
    defaultPressureLimits.memoryShare * 100,
  ),
  SIGNET_CONNECTIONS_MAX: wholeNumber(1, 1_000_000).default(connectionsMaxDefault),
  SIGNET_WORKERS: wholeNumber(1, workersMax).default(1),
  SIGNET_DRAIN_S: seconds(0, 3600).default(20),
  SIGNET_LOG_LEVEL: logLevel(),
});

/** Throws ConfigError that names each variable at fault. */
export function readProxyConfig(environment: Environment): ProxyConfig {
  const read = readConfig(schema, environment);
  return {
    pod: {
      name: read.POD_NAME,
      namespace: read.POD_NAMESPACE,
      uid: read.POD_UID,
      // As the kernel writes them: they are compared with original destinations.
      addresses: [...new Set([read.POD_IP, ...(read.POD_IPS ?? [])].map(normalizeIp))],
      serviceAccount: read.SERVICE_ACCOUNT,
    },
    trustDomain: read.SIGNET_TRUST_DOMAIN,
    controller: read.SIGNET_CONTROLLER_ADDRESS,
    rootFingerprints: read.SIGNET_ROOT_FINGERPRINTS.map((text) => text.toLowerCase()),
    trustBundleFile: read.SIGNET_TRUST_BUNDLE_FILE,
    tokenFile: read.SIGNET_TOKEN_FILE,
    svidLifetimeSeconds: read.SIGNET_SVID_LIFETIME_S ?? 0,
    opaquePorts: new Set([...opaquePortsDefault, ...(read.SIGNET_OPAQUE_PORTS ?? [])]),
    probes: read.SIGNET_PROBES ?? {},
    workloadApi: workloadApiOf(read.SIGNET_WORKLOAD_SOCKET, read.SIGNET_WORKLOAD_USERS),
    pressure: pressureLimits(
      read.SIGNET_OVERLOAD_LAG_MS,
      read.SIGNET_OVERLOAD_MEMORY_PERCENT / 100,
    ),
    connectionsMax: read.SIGNET_CONNECTIONS_MAX,
    workers: read.SIGNET_WORKERS,
    drainMs: read.SIGNET_DRAIN_S * 1000,
    logLevel: read.SIGNET_LOG_LEVEL,
  };
}

function workloadApiOf(
  socketPath: string | undefined,
  users: readonly number[] | undefined,
): WorkloadApiConfig | null {
  if (socketPath === undefined) return null;
  return { socketPath, users: users === undefined ? null : new Set(users) };
}
