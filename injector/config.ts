// What injection and the server of its webhooks are told by whoever runs the mesh. Tenants can change
// none of it.
import path from "node:path";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { list, logLevel, port, readConfig, seconds, z } from "#/lib/config.ts";
import type { Environment } from "#/lib/config.ts";
import type { LogLevel } from "#/lib/log.ts";

export interface InjectorConfig {
  readonly images: { readonly proxyInit: string; readonly proxy: string };
  readonly trustDomain: string;
  /** host:port of the controller's gRPC; a trailing dot keeps the resolver off the search list. */
  readonly controllerAddress: string;
  /** SHA-256 of each accepted root's DER, lower-case hex; never empty. Pinned in the pod's spec. */
  readonly rootFingerprints: readonly string[];
  /** Of former roots that a pod injected earlier may still pin; left out: none. */
  readonly formerFingerprints?: readonly string[];
  /** native: init container with restartPolicy Always (Kubernetes 1.29); classic: ordinary container. */
  readonly sidecarForm: "native" | "classic";
  /** The only ports that a pod's annotations may take out of the mesh (attack case 29). */
  readonly excludablePorts: {
    readonly inbound: readonly number[];
    readonly outbound: readonly number[];
  };
  readonly logLevel: LogLevel;
  /** Seconds that a stopping sidecar gives to what is in flight, before it cuts. */
  readonly drainS: number;
}

/** A certificate and its key that somebody else keeps fresh. */
export interface ServingFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface WebhookConfig {
  /** Without pinned roots when none are told: then those of the mesh's own bundle are. */
  readonly injector: InjectorConfig;
  readonly trustDomain: TrustDomain;
  readonly port: number;
  readonly adminPort: number;
  /** null: the mesh's own CA certifies us. */
  readonly files: ServingFiles | null;
  readonly tokenFile: string;
  readonly trustBundleFile: string;
  /** Of the two webhook configurations whose caBundle is kept; empty: somebody else keeps it. */
  readonly configurationName: string;
}

/** What `readWebhookConfig` fills in when a variable is absent; `local/` starts from it, too. */
export const injectorDefaults: Omit<InjectorConfig, "rootFingerprints"> = {
  images: { proxyInit: "signet/proxy-init", proxy: "signet/proxy" },
  trustDomain: "cluster.local",
  controllerAddress: "signet-controller.signet-system.svc.cluster.local.:8443",
  sidecarForm: "native",
  excludablePorts: { inbound: [], outbound: [] },
  logLevel: "info",
  drainS: 20,
};

/** A SHA-256 in hex, with or without the colons that openssl prints. */
const fingerprint = /^[0-9a-f]{64}$/;
/** SPIFFE trust domain: lower-case letters, digits, dots, dashes, underscores; at most 255 bytes. */
const trustDomain = /^[a-z0-9._-]{1,255}$/;
const imageReference = /^[\w][\w./:@-]{0,511}$/;
const hostPort = /^[a-z0-9.-]{1,253}:\d{1,5}$/;

const portNumber = z
  .string()
  .regex(/^\d{1,5}$/, "not a port")
  .transform(Number)
  .pipe(z.number().min(1).max(65_535));
const ports = list().pipe(z.array(portNumber));

const absolute = z.string().refine((text) => path.isAbsolute(text), "not an absolute path");

const schema = z
  .object({
    IMAGE_TO_DEPLOY_PROXY_INIT: z
      .string()
      .regex(imageReference, "not an image reference")
      .default(injectorDefaults.images.proxyInit),
    IMAGE_TO_DEPLOY_PROXY: z
      .string()
      .regex(imageReference, "not an image reference")
      .default(injectorDefaults.images.proxy),
    SIGNET_TRUST_DOMAIN: z
      .string()
      .regex(trustDomain, "not a trust domain")
      .default(injectorDefaults.trustDomain),
    SIGNET_CONTROLLER_ADDRESS: z
      .string()
      .regex(hostPort, "not host:port")
      .default(injectorDefaults.controllerAddress),
    SIGNET_ROOT_FINGERPRINTS: list()
      .transform((texts) => texts.map((text) => text.toLowerCase().replaceAll(":", "")))
      .pipe(z.array(z.string().regex(fingerprint, "not a SHA-256 in hex")).min(1, "no root pinned"))
      .optional(),
    SIGNET_SIDECAR_FORM: z.enum(["native", "classic"]).default(injectorDefaults.sidecarForm),
    SIGNET_EXCLUDABLE_INBOUND_PORTS: ports.default([]),
    SIGNET_EXCLUDABLE_OUTBOUND_PORTS: ports.default([]),
    SIGNET_LOG_LEVEL: logLevel(),
    SIGNET_DRAIN_S: seconds(1, 3600).default(injectorDefaults.drainS),
    SIGNET_WEBHOOK_PORT: port().default(8443),
    SIGNET_ADMIN_PORT: port().default(8080),
    SIGNET_TOKEN_FILE: absolute.default("/var/run/secrets/signet/token"),
    SIGNET_TRUST_BUNDLE_FILE: absolute.default("/var/run/signet/trust/bundle.pem"),
    SIGNET_WEBHOOK_CONFIGURATION: z.string().max(253).default("signet-injector"),
    TLS_CERT_FILE: absolute.optional(),
    TLS_KEY_FILE: absolute.optional(),
  })
  .refine(
    ({ TLS_CERT_FILE: certificate, TLS_KEY_FILE: key }) =>
      (certificate === undefined) === (key === undefined),
    { path: ["TLS_KEY_FILE"], message: "set both TLS_CERT_FILE and TLS_KEY_FILE, or neither" },
  );

/** Reads the injector's variables. Throws ConfigError that lists every fault. */
export function readWebhookConfig(environment: Environment): WebhookConfig {
  const read = readConfig(schema, environment);
  const { TLS_CERT_FILE: certificateFile, TLS_KEY_FILE: keyFile } = read;
  const isGiven = certificateFile !== undefined && keyFile !== undefined;
  return Object.freeze({
    injector: injectorConfig(read),
    trustDomain: parseTrustDomain(read.SIGNET_TRUST_DOMAIN),
    port: read.SIGNET_WEBHOOK_PORT,
    adminPort: read.SIGNET_ADMIN_PORT,
    files: isGiven ? { certificateFile, keyFile } : null,
    tokenFile: read.SIGNET_TOKEN_FILE,
    trustBundleFile: read.SIGNET_TRUST_BUNDLE_FILE,
    configurationName: read.SIGNET_WEBHOOK_CONFIGURATION,
  });
}

function injectorConfig(read: z.output<typeof schema>): InjectorConfig {
  return Object.freeze({
    images: { proxyInit: read.IMAGE_TO_DEPLOY_PROXY_INIT, proxy: read.IMAGE_TO_DEPLOY_PROXY },
    trustDomain: read.SIGNET_TRUST_DOMAIN,
    controllerAddress: read.SIGNET_CONTROLLER_ADDRESS,
    rootFingerprints: read.SIGNET_ROOT_FINGERPRINTS ?? [],
    sidecarForm: read.SIGNET_SIDECAR_FORM,
    excludablePorts: {
      inbound: read.SIGNET_EXCLUDABLE_INBOUND_PORTS,
      outbound: read.SIGNET_EXCLUDABLE_OUTBOUND_PORTS,
    },
    logLevel: read.SIGNET_LOG_LEVEL,
    drainS: read.SIGNET_DRAIN_S,
  });
}
