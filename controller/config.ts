// What the controller is told by its environment. Everything else it learns from the world.
import path from "node:path";
import { logLevel, port, readConfig, seconds, z } from "#/lib/config.ts";
import type { Environment } from "#/lib/config.ts";
import type { LogLevel } from "#/lib/log.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";

export interface ControllerConfig {
  readonly trustDomain: TrustDomain;
  /** Holds root.crt, intermediate.crt and intermediate.key, PEM. */
  readonly caDirectory: string;
  /** Holds the ledger. */
  readonly dataDirectory: string;
  /** Path of the Unix socket that serves the world. */
  readonly worldSocketPath: string;
  /** The only issuer whose tokens are believed. */
  readonly tokenIssuer: string;
  readonly tokenJwksFile: string;
  /** Default life of a certificate, seconds. */
  readonly svidLifetimeS: number;
  readonly grpcPort: number;
  readonly adminPort: number;
  /** Unix socket of the read API. */
  readonly adminSocketPath: string;
  readonly logLevel: LogLevel;
  /** This process's own pod, for the ledger; empty when it is not told. */
  readonly pod: { readonly name: string; readonly uid: string; readonly address: string };
}

/** The lives that the CA grants. */
const lifetimeSMin = 30;
const lifetimeSMax = 86_400;

const absolute = z.string().refine((text) => path.isAbsolute(text), "not an absolute path");
const trustDomain = z.string().transform((text, context) => {
  try {
    return parseTrustDomain(text);
  } catch {
    context.addIssue({ code: "custom", message: "not a trust domain" });
    return z.NEVER;
  }
});
const world = z.string().transform((text, context) => {
  const [, socketPath] = /^unix:(\/.+)$/.exec(text) ?? [];
  if (socketPath !== undefined) return socketPath;
  context.addIssue({ code: "custom", message: 'not "unix:" and an absolute path' });
  return z.NEVER;
});

const schema = z.object({
  SIGNET_TRUST_DOMAIN: trustDomain.default(parseTrustDomain("cluster.local")),
  SIGNET_CA_DIRECTORY: absolute,
  SIGNET_DATA_DIRECTORY: absolute,
  SIGNET_WORLD: world,
  SIGNET_TOKEN_ISSUER: z.string().min(1),
  SIGNET_TOKEN_JWKS_FILE: absolute,
  SIGNET_SVID_LIFETIME_S: seconds(lifetimeSMin, lifetimeSMax).default(900),
  SIGNET_GRPC_PORT: port().default(8443),
  SIGNET_ADMIN_PORT: port().default(8080),
  SIGNET_ADMIN_SOCKET: absolute,
  SIGNET_LOG_LEVEL: logLevel(),
  POD_NAME: z.string().default(""),
  POD_UID: z.string().default(""),
  POD_IP: z.string().default(""),
});

/** Throws ConfigError that lists every fault. */
export function readControllerConfig(environment: Environment): ControllerConfig {
  const read = readConfig(schema, environment);
  return Object.freeze({
    trustDomain: read.SIGNET_TRUST_DOMAIN,
    caDirectory: read.SIGNET_CA_DIRECTORY,
    dataDirectory: read.SIGNET_DATA_DIRECTORY,
    worldSocketPath: read.SIGNET_WORLD,
    tokenIssuer: read.SIGNET_TOKEN_ISSUER,
    tokenJwksFile: read.SIGNET_TOKEN_JWKS_FILE,
    svidLifetimeS: read.SIGNET_SVID_LIFETIME_S,
    grpcPort: read.SIGNET_GRPC_PORT,
    adminPort: read.SIGNET_ADMIN_PORT,
    adminSocketPath: read.SIGNET_ADMIN_SOCKET,
    logLevel: read.SIGNET_LOG_LEVEL,
    pod: { name: read.POD_NAME, uid: read.POD_UID, address: read.POD_IP },
  });
}
