// What the controller is told by its environment. Everything else it learns from the world.
import path from "node:path";
import { kubernetesPlace } from "#/cluster/kubernetes/access.ts";
import type { KubernetesPlace } from "#/cluster/kubernetes/access.ts";
import { ConfigError, logLevel, port, readConfig, seconds, z } from "#/lib/config.ts";
import type { Environment } from "#/lib/config.ts";
import type { LogLevel } from "#/lib/log.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { parseAllowedEndpoints } from "./federation/addresses.ts";

/** Where the world is watched, and by what the tokens of its pods are verified. */
export type WorldConfig =
  | {
      readonly kind: "socket";
      /** Of the Unix socket that serves the world. */
      readonly socketPath: string;
      /** The only issuer whose tokens are believed. */
      readonly tokenIssuer: string;
      readonly tokenJwksFile: string;
    }
  | { readonly kind: "kubernetes"; readonly place: KubernetesPlace };

export interface ControllerConfig {
  readonly trustDomain: TrustDomain;
  /** Holds root.crt, intermediate.crt and intermediate.key, PEM; null: a Secret of the cluster does. */
  readonly caDirectory: string | null;
  /** What the stored keys are wrapped under: a file with it, or it itself; null: they are not wrapped. */
  readonly keyEncryption: { readonly file: string } | { readonly keys: string } | null;
  /** Holds the ledger. */
  readonly dataDirectory: string;
  readonly world: WorldConfig;
  /** Default life of a certificate, seconds. */
  readonly svidLifetimeS: number;
  /** Days for which the log keeps what has ended; null: for ever. */
  readonly logKeepDays: number | null;
  readonly grpcPort: number;
  readonly adminPort: number;
  /** Unix socket of the read API. */
  readonly adminSocketPath: string;
  /** Loopback port of the read API, for whoever may forward ports into the pod; null: none. */
  readonly inspectPort: number | null;
  /** Of the bundle endpoint, for other trust domains; null: none. */
  readonly bundlePort: number | null;
  /** How long others may wait until they ask it again, seconds. */
  readonly bundleRefreshHintS: number;
  /** Hosts with ports that alone may be asked for foreign bundles; null: all but those of this host and its link. */
  readonly federationEndpoints: ReadonlySet<string> | null;
  readonly logLevel: LogLevel;
  /** This process's own pod, for the ledger; empty when it is not told. */
  readonly pod: { readonly name: string; readonly uid: string; readonly address: string };
}

/** The lives that the CA grants. */
const lifetimeSMin = 30;
const lifetimeSMax = 86_400;
/** Of the bundle endpoint: sooner is a flood, later is longer than a rotation ought to take. */
const refreshHintSMin = 5;
const refreshHintSMax = 3_600;

const absolute = z.string().refine((text) => path.isAbsolute(text), "not an absolute path");
const trustDomain = z.string().transform((text, context) => {
  try {
    return parseTrustDomain(text);
  } catch {
    context.addIssue({ code: "custom", message: "not a trust domain" });
    return z.NEVER;
  }
});
const endpoints = z.string().transform((text, context) => {
  try {
    return parseAllowedEndpoints(text);
  } catch (thrown) {
    context.addIssue({ code: "custom", message: messageOf(thrown) });
    return z.NEVER;
  }
});
const world = z
  .string()
  .regex(/^(?:kubernetes|unix:\/.+)$/, 'not "kubernetes", nor "unix:" and an absolute path');

const schema = z.object({
  SIGNET_TRUST_DOMAIN: trustDomain.default(parseTrustDomain("cluster.local")),
  SIGNET_CA_DIRECTORY: absolute.optional(),
  SIGNET_KEY_ENCRYPTION_FILE: absolute.optional(),
  SIGNET_KEY_ENCRYPTION_KEY: z.string().min(1).optional(),
  SIGNET_DATA_DIRECTORY: absolute,
  SIGNET_WORLD: world,
  SIGNET_TOKEN_ISSUER: z.string().min(1).optional(),
  SIGNET_TOKEN_JWKS_FILE: absolute.optional(),
  SIGNET_SVID_LIFETIME_S: seconds(lifetimeSMin, lifetimeSMax).default(900),
  SIGNET_LOG_KEEP_DAYS: z
    .union([z.literal("for-ever"), z.coerce.number().int().min(1).max(3650)])
    .default(30),
  SIGNET_GRPC_PORT: port().default(8443),
  SIGNET_ADMIN_PORT: port().default(8080),
  SIGNET_ADMIN_SOCKET: absolute,
  SIGNET_INSPECT_PORT: port().optional(),
  SIGNET_BUNDLE_PORT: port().optional(),
  SIGNET_BUNDLE_REFRESH_HINT_S: seconds(refreshHintSMin, refreshHintSMax).default(300),
  SIGNET_FEDERATION_ENDPOINTS: endpoints.optional(),
  SIGNET_LOG_LEVEL: logLevel(),
  POD_NAME: z.string().default(""),
  POD_UID: z.string().default(""),
  POD_IP: z.string().default(""),
  KUBECONFIG: z.string().optional(),
  KUBERNETES_SERVICE_HOST: z.string().optional(),
  KUBERNETES_SERVICE_PORT: z.string().optional(),
});

/** Throws ConfigError that lists every fault. */
export function readControllerConfig(environment: Environment): ControllerConfig {
  const read = readConfig(schema, environment);
  return Object.freeze({
    trustDomain: read.SIGNET_TRUST_DOMAIN,
    caDirectory: read.SIGNET_CA_DIRECTORY ?? null,
    keyEncryption: toKeyEncryption(read),
    dataDirectory: read.SIGNET_DATA_DIRECTORY,
    world: toWorld(read),
    svidLifetimeS: read.SIGNET_SVID_LIFETIME_S,
    logKeepDays: read.SIGNET_LOG_KEEP_DAYS === "for-ever" ? null : read.SIGNET_LOG_KEEP_DAYS,
    grpcPort: read.SIGNET_GRPC_PORT,
    adminPort: read.SIGNET_ADMIN_PORT,
    adminSocketPath: read.SIGNET_ADMIN_SOCKET,
    inspectPort: read.SIGNET_INSPECT_PORT ?? null,
    bundlePort: read.SIGNET_BUNDLE_PORT ?? null,
    bundleRefreshHintS: read.SIGNET_BUNDLE_REFRESH_HINT_S,
    federationEndpoints: read.SIGNET_FEDERATION_ENDPOINTS ?? null,
    logLevel: read.SIGNET_LOG_LEVEL,
    pod: { name: read.POD_NAME, uid: read.POD_UID, address: read.POD_IP },
  });
}

function toKeyEncryption(
  read: Readonly<z.output<typeof schema>>,
): ControllerConfig["keyEncryption"] {
  const { SIGNET_KEY_ENCRYPTION_FILE: file, SIGNET_KEY_ENCRYPTION_KEY: keys } = read;
  if (file !== undefined && keys !== undefined) {
    throw refused("SIGNET_KEY_ENCRYPTION_FILE, SIGNET_KEY_ENCRYPTION_KEY: set one of them");
  }
  if (file !== undefined) return { file };
  return keys === undefined ? null : { keys };
}

/** A cluster verifies its own tokens; whoever watches a socket must be told by which keys. */
function toWorld(read: Readonly<z.output<typeof schema>>): WorldConfig {
  const { SIGNET_TOKEN_ISSUER: tokenIssuer, SIGNET_TOKEN_JWKS_FILE: tokenJwksFile } = read;
  if (read.SIGNET_WORLD === "kubernetes") {
    if (tokenIssuer !== undefined || tokenJwksFile !== undefined) {
      throw refused("SIGNET_TOKEN_ISSUER, SIGNET_TOKEN_JWKS_FILE: of no use with a cluster");
    }
    const place = kubernetesPlace(read);
    if (place === null) throw refused("KUBECONFIG: missing, and this is no pod of a cluster");
    return { kind: "kubernetes", place };
  }
  if (read.SIGNET_CA_DIRECTORY === undefined) throw refused("SIGNET_CA_DIRECTORY: missing");
  if (tokenIssuer === undefined) throw refused("SIGNET_TOKEN_ISSUER: missing");
  if (tokenJwksFile === undefined) throw refused("SIGNET_TOKEN_JWKS_FILE: missing");
  const socketPath = read.SIGNET_WORLD.slice("unix:".length);
  return { kind: "socket", socketPath, tokenIssuer, tokenJwksFile };
}

function refused(fault: string): ConfigError {
  return new ConfigError("config_invalid", `Cannot start: ${fault}`, {
    next: "Correct the named environment variables and start again",
  });
}
