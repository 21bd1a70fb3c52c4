// Which ports, which user, which exceptions: environment first, flags over it, checked once.
import { parseArgs } from "node:util";
import { ConfigError, list, port, readConfig, z } from "#/lib/config.ts";
import type { Environment } from "#/lib/config.ts";
import { MeshError } from "#/lib/errors.ts";
import { parseNetwork } from "./network.ts";
import type { Network } from "./network.ts";

export interface RedirectConfig {
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly adminPort: number;
  /** Only a process with this user AND this group is exempt from the outbound redirect. */
  readonly proxyUid: number;
  readonly proxyGid: number;
  readonly excludeInboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  readonly excludeOutboundNetworks: readonly Network[];
  /** Leaves IPv6 unredirected on a kernel that has IPv6 but cannot redirect it. A hole, hence the name. */
  readonly unsafeSkipIpv6: boolean;
}

export interface Invocation {
  readonly config: RedirectConfig;
  readonly dryRun: boolean;
  readonly help: boolean;
}

export class UsageError extends MeshError<"usage_invalid"> {}

/** Each entry is a rule in every pod; more than this is a mistake, not a configuration. */
const exceptionsMax = 64;
/** The kernel keeps 4294967295 for "no user". */
const userIdMax = 4_294_967_294;

const userId = (): z.ZodNumber => z.coerce.number<number>().int().min(0).max(userIdMax);

const portNumber = z
  .string()
  .regex(/^\d{1,5}$/, "not a port")
  .transform(Number)
  .pipe(z.number().min(1, "not a port").max(65_535, "not a port"));

const portList = list()
  .pipe(z.array(portNumber).max(exceptionsMax, `more than ${exceptionsMax} ports`))
  .transform((ports) => [...new Set(ports)].sort((a, b) => a - b));

const networkList = list()
  .pipe(z.array(z.string()).max(exceptionsMax, `more than ${exceptionsMax} networks`))
  .transform((texts, context) =>
    texts.flatMap((text) => {
      const parsed = parseNetwork(text);
      if (parsed.kind === "network") return [parsed.network];
      context.addIssue({ code: "custom", message: `"${text.slice(0, 60)}" ${parsed.fault}` });
      return [];
    }),
  );

const schema = z.object({
  SIGNET_INBOUND_PORT: port().default(4000),
  SIGNET_OUTBOUND_PORT: port().default(5000),
  SIGNET_ADMIN_PORT: port().default(4100),
  SIGNET_PROXY_UID: userId().default(1337),
  SIGNET_PROXY_GID: userId().default(1337),
  SIGNET_EXCLUDE_INBOUND_PORTS: portList.default([]),
  SIGNET_EXCLUDE_OUTBOUND_PORTS: portList.default([]),
  SIGNET_EXCLUDE_OUTBOUND_CIDRS: networkList.default([]),
  SIGNET_UNSAFE_SKIP_IPV6: z.enum(["true", "false"]).default("false"),
});

/** Each flag stands for one variable, and wins over it. */
const variableOf = {
  "inbound-port": "SIGNET_INBOUND_PORT",
  "outbound-port": "SIGNET_OUTBOUND_PORT",
  "admin-port": "SIGNET_ADMIN_PORT",
  "proxy-uid": "SIGNET_PROXY_UID",
  "proxy-gid": "SIGNET_PROXY_GID",
  "exclude-inbound-ports": "SIGNET_EXCLUDE_INBOUND_PORTS",
  "exclude-outbound-ports": "SIGNET_EXCLUDE_OUTBOUND_PORTS",
  "exclude-outbound-cidrs": "SIGNET_EXCLUDE_OUTBOUND_CIDRS",
} as const;

/** Reads flags and environment. Throws UsageError for the flags, ConfigError for the values. */
export function readInvocation(
  commandLine: readonly string[],
  environment: Environment,
): Invocation {
  const flags = readFlags(commandLine);
  const given: Record<string, string | undefined> = { ...environment };
  for (const [flag, variable] of Object.entries(variableOf)) {
    const value = flags[flag as keyof typeof variableOf];
    if (value !== undefined) given[variable] = value;
  }
  if (flags["unsafe-skip-ipv6"] === true) given["SIGNET_UNSAFE_SKIP_IPV6"] = "true";
  return {
    help: flags.help === true,
    dryRun: flags["dry-run"] === true,
    config: toConfig(readConfig(schema, given)),
  };
}

function toConfig(read: z.output<typeof schema>): RedirectConfig {
  const ports = [read.SIGNET_INBOUND_PORT, read.SIGNET_OUTBOUND_PORT, read.SIGNET_ADMIN_PORT];
  if (new Set(ports).size !== ports.length) {
    throw new ConfigError(
      "config_invalid",
      `Cannot start: inbound, outbound and admin port must differ, they are ${ports.join(", ")}`,
      { next: "Give each of the proxy's three listeners a port of its own" },
    );
  }
  const exposed = read.SIGNET_EXCLUDE_INBOUND_PORTS.find((each) => ports.includes(each));
  if (exposed !== undefined) {
    throw new ConfigError(
      "config_invalid",
      `Cannot start: inbound port ${exposed} is the proxy's own and cannot be excluded`,
      { next: "Take the port out of SIGNET_EXCLUDE_INBOUND_PORTS" },
    );
  }
  return Object.freeze({
    inboundPort: read.SIGNET_INBOUND_PORT,
    outboundPort: read.SIGNET_OUTBOUND_PORT,
    adminPort: read.SIGNET_ADMIN_PORT,
    proxyUid: read.SIGNET_PROXY_UID,
    proxyGid: read.SIGNET_PROXY_GID,
    excludeInboundPorts: read.SIGNET_EXCLUDE_INBOUND_PORTS,
    excludeOutboundPorts: read.SIGNET_EXCLUDE_OUTBOUND_PORTS,
    excludeOutboundNetworks: read.SIGNET_EXCLUDE_OUTBOUND_CIDRS,
    unsafeSkipIpv6: read.SIGNET_UNSAFE_SKIP_IPV6 === "true",
  });
}

const flagOptions = {
  help: { type: "boolean", short: "h" },
  "dry-run": { type: "boolean" },
  "inbound-port": { type: "string" },
  "outbound-port": { type: "string" },
  "admin-port": { type: "string" },
  "proxy-uid": { type: "string" },
  "proxy-gid": { type: "string" },
  "exclude-inbound-ports": { type: "string" },
  "exclude-outbound-ports": { type: "string" },
  "exclude-outbound-cidrs": { type: "string" },
  "unsafe-skip-ipv6": { type: "boolean" },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof flagOptions }>>["values"];

function readFlags(commandLine: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...commandLine], options: flagOptions, strict: true }).values;
  } catch (error) {
    const state = error instanceof Error ? error.message : String(error);
    throw new UsageError("usage_invalid", `Cannot read the command line: ${state}`, {
      cause: error,
      next: "Run proxy-init --help",
    });
  }
}

export const helpText = `Usage: proxy-init [--dry-run] [options]

Redirects this network namespace's TCP to the sidecar, for IPv4 and IPv6, and exits. Run it again
and nothing changes. UDP, SCTP and ICMP are not redirected: the mesh does not see them.

  --dry-run                       print both rule sets and touch nothing
  --inbound-port PORT             where TCP from outside goes (SIGNET_INBOUND_PORT, 4000)
  --outbound-port PORT            where TCP of the application goes (SIGNET_OUTBOUND_PORT, 5000)
  --admin-port PORT               stays reachable directly (SIGNET_ADMIN_PORT, 4100)
  --proxy-uid UID                 the sidecar's user, exempt with its group (SIGNET_PROXY_UID, 1337)
  --proxy-gid GID                 the sidecar's group (SIGNET_PROXY_GID, 1337)
  --exclude-inbound-ports LIST    not redirected (SIGNET_EXCLUDE_INBOUND_PORTS)
  --exclude-outbound-ports LIST   not redirected (SIGNET_EXCLUDE_OUTBOUND_PORTS)
  --exclude-outbound-cidrs LIST   not redirected (SIGNET_EXCLUDE_OUTBOUND_CIDRS)
  --unsafe-skip-ipv6              leave IPv6 open if it cannot be redirected (SIGNET_UNSAFE_SKIP_IPV6)
  --help                          this text

Exit codes: 0 done, or nothing to do; 64 wrong usage; 69 iptables or the kernel cannot do it;
70 the rules did not hold; 77 not allowed (needs root with NET_ADMIN).
`;
