import test from "ava";
import { ConfigError } from "#/lib/config.ts";
import { UsageError, readInvocation } from "./config.ts";

test("readInvocation has the mesh's own ports and user as defaults", (t) => {
  const { config, dryRun, help } = readInvocation([], {});
  t.like(config, { inboundPort: 4000, outboundPort: 5000, adminPort: 4100 });
  t.like(config, { proxyUid: 1337, proxyGid: 1337, unsafeSkipIpv6: false });
  t.deepEqual([dryRun, help], [false, false]);
});

test("readInvocation lets a flag win over its variable", (t) => {
  const environment = { SIGNET_INBOUND_PORT: "4001", SIGNET_EXCLUDE_INBOUND_PORTS: "22" };
  const { config } = readInvocation(["--inbound-port=4002", "--dry-run"], environment);
  t.is(config.inboundPort, 4002);
  t.deepEqual(config.excludeInboundPorts, [22]);
});

test("readInvocation sorts ports and drops doubles and empty parts", (t) => {
  const { config } = readInvocation(["--exclude-outbound-ports", "443, 53,,443"], {});
  t.deepEqual(config.excludeOutboundPorts, [53, 443]);
});

test("readInvocation needs the whole name of the unsafe choice", (t) => {
  t.true(readInvocation(["--unsafe-skip-ipv6"], {}).config.unsafeSkipIpv6);
  t.throws(() => readInvocation([], { SIGNET_UNSAFE_SKIP_IPV6: "" }), { instanceOf: ConfigError });
  t.throws(() => readInvocation([], { SIGNET_UNSAFE_SKIP_IPV6: "1" }), { instanceOf: ConfigError });
});

for (const [title, environment] of [
  ["a port of zero", { SIGNET_INBOUND_PORT: "0" }],
  ["a port that is too high", { SIGNET_OUTBOUND_PORT: "65536" }],
  ["a port that is a word", { SIGNET_ADMIN_PORT: "http" }],
  ["two listeners on one port", { SIGNET_INBOUND_PORT: "5000" }],
  ["a negative user", { SIGNET_PROXY_UID: "-1" }],
  ["the user that means none", { SIGNET_PROXY_UID: "4294967295" }],
  ["a user by name", { SIGNET_PROXY_UID: "proxy" }],
  ["an excluded port with a range", { SIGNET_EXCLUDE_INBOUND_PORTS: "80-90" }],
  ["a network with host bits", { SIGNET_EXCLUDE_OUTBOUND_CIDRS: "10.0.0.1/8" }],
  ["a network that is everything", { SIGNET_EXCLUDE_OUTBOUND_CIDRS: "0.0.0.0/0" }],
  ["a misspelt variable", { SIGNET_EXCLUDE_PORTS: "80" }],
  ["attack-28 an exclusion of the outbound listener", { SIGNET_EXCLUDE_INBOUND_PORTS: "5000" }],
] as const) {
  test(`readInvocation refuses ${title}`, (t) => {
    t.throws(() => readInvocation([], environment), { instanceOf: ConfigError });
  });
}

test("readInvocation takes 64 exceptions and refuses 65", (t) => {
  const ports = (count: number): string =>
    Array.from({ length: count }, (_, index) => 1000 + index).join(",");
  const read = (count: number): number =>
    readInvocation([], { SIGNET_EXCLUDE_OUTBOUND_PORTS: ports(count) }).config.excludeOutboundPorts
      .length;
  t.is(read(64), 64);
  t.throws(() => read(65), { instanceOf: ConfigError, message: /more than 64 ports/ });
});

for (const commandLine of [["--port=1"], ["now"], ["--inbound-port"], ["--dry-run=yes"]]) {
  test(`readInvocation refuses the flags "${commandLine.join(" ")}"`, (t) => {
    const error = t.throws(() => readInvocation(commandLine, {}), { instanceOf: UsageError });
    t.is(error.next, "Run proxy-init --help");
  });
}
