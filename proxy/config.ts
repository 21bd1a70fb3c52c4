// The sidecar's configuration: what the injector writes into the pod, read once.
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { ConfigError, list, logLevel, readConfig, seconds, z } from "#/lib/config.ts";
import type { Environment } from "#/lib/config.ts";
import { parseHostPort } from "#/lib/ip.ts";
import type { LogLevel } from "#/lib/log.ts";

export const inboundPort = 4000;
export const outboundPort = 5000;
export const adminPort = 4100;

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
  readonly drainMs: number;
  readonly logLevel: LogLevel;
}

/** Ports of protocols in which the server speaks first, and of those too particular to sniff. */
const opaquePortsDefault = [25, 587, 3306, 4444, 5432, 6379, 9300, 11_211];

const schema = z.object({
  POD_NAME: z.string().min(1),
  POD_NAMESPACE: z.string().min(1),
  POD_UID: z.string().min(1),
  POD_IP: z.string().min(1),
  POD_IPS: list().optional(),
  SERVICE_ACCOUNT: z.string().min(1),
  SIGNET_TRUST_DOMAIN: z.string().min(1),
  SIGNET_CONTROLLER_ADDRESS: z.string().min(1),
  SIGNET_ROOT_FINGERPRINTS: list(),
  SIGNET_TRUST_BUNDLE_FILE: z.string().min(1),
  SIGNET_TOKEN_FILE: z.string().min(1),
  SIGNET_SVID_LIFETIME_S: seconds(30, 86_400).optional(),
  SIGNET_OPAQUE_PORTS: list().optional(),
  SIGNET_DRAIN_S: seconds(0, 3600).default(20),
  SIGNET_LOG_LEVEL: logLevel(),
});

/** Throws ConfigError that names each variable at fault. */
export function readProxyConfig(environment: Environment): ProxyConfig {
  const read = readConfig(schema, environment);
  if (read.SIGNET_ROOT_FINGERPRINTS.length === 0) {
    throw new ConfigError("config_invalid", "Cannot start: SIGNET_ROOT_FINGERPRINTS is empty", {
      next: "Give the SHA-256 of at least one root that this pod may trust",
    });
  }
  const opaque = (read.SIGNET_OPAQUE_PORTS ?? []).map(readPort);
  return {
    pod: {
      name: read.POD_NAME,
      namespace: read.POD_NAMESPACE,
      uid: read.POD_UID,
      addresses: [...new Set([read.POD_IP, ...(read.POD_IPS ?? [])])],
      serviceAccount: read.SERVICE_ACCOUNT,
    },
    trustDomain: parseTrustDomain(read.SIGNET_TRUST_DOMAIN),
    controller: parseHostPort(read.SIGNET_CONTROLLER_ADDRESS),
    rootFingerprints: read.SIGNET_ROOT_FINGERPRINTS.map((text) => text.toLowerCase()),
    trustBundleFile: read.SIGNET_TRUST_BUNDLE_FILE,
    tokenFile: read.SIGNET_TOKEN_FILE,
    svidLifetimeSeconds: read.SIGNET_SVID_LIFETIME_S ?? 0,
    opaquePorts: new Set([...opaquePortsDefault, ...opaque]),
    drainMs: read.SIGNET_DRAIN_S * 1000,
    logLevel: read.SIGNET_LOG_LEVEL,
  };
}

function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new ConfigError("config_invalid", `Cannot start: SIGNET_OPAQUE_PORTS has "${text}"`, {
    next: "List port numbers from 1 to 65535, separated by commas",
  });
}
