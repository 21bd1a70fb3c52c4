import test from "ava";
import { ConfigError } from "#/lib/config.ts";
import { readProxyConfig } from "./config.ts";

const root = "ab".repeat(32);
const good = {
  POD_NAME: "a-1",
  POD_NAMESPACE: "app-a",
  POD_UID: "uid-a",
  POD_IP: "10.0.0.7",
  SERVICE_ACCOUNT: "app-a",
  SIGNET_TRUST_DOMAIN: "cluster.local",
  SIGNET_CONTROLLER_ADDRESS: "signet-controller.signet-system.svc.cluster.local.:8443",
  SIGNET_ROOT_FINGERPRINTS: root,
  SIGNET_TRUST_BUNDLE_FILE: "/run/bundle.pem",
  SIGNET_TOKEN_FILE: "/run/token",
};

test("readProxyConfig reads what the injector writes, and fills in the rest", (t) => {
  const config = readProxyConfig({ ...good, PATH: "/bin" });
  t.like(config, {
    pod: {
      name: "a-1",
      namespace: "app-a",
      uid: "uid-a",
      addresses: ["10.0.0.7"],
      serviceAccount: "app-a",
    },
    trustDomain: "cluster.local",
    controller: { host: "signet-controller.signet-system.svc.cluster.local.", port: 8443 },
    rootFingerprints: [root],
    svidLifetimeSeconds: 0,
    drainMs: 20_000,
    logLevel: "info",
  });
  t.true(config.opaquePorts.has(3306));
  t.false(config.opaquePorts.has(80));
});

test("readProxyConfig keeps the pod's addresses as the kernel writes them, each once", (t) => {
  const environment = { ...good, POD_IPS: "10.0.0.7,FD00::7,::ffff:10.0.0.8" };
  t.deepEqual(readProxyConfig(environment).pod.addresses, ["10.0.0.7", "fd00::7", "10.0.0.8"]);
});

test("readProxyConfig adds opaque ports to those it knows, and lowers fingerprints", (t) => {
  const config = readProxyConfig({
    ...good,
    SIGNET_OPAQUE_PORTS: "1, 65535",
    SIGNET_ROOT_FINGERPRINTS: `${root.toUpperCase()},${"cd".repeat(32)}`,
    SIGNET_SVID_LIFETIME_S: "30",
    SIGNET_DRAIN_S: "0",
  });
  t.true([1, 65_535, 25].every((port) => config.opaquePorts.has(port)));
  t.deepEqual(config.rootFingerprints, [root, "cd".repeat(32)]);
  t.is(config.svidLifetimeSeconds, 30);
  t.is(config.drainMs, 0);
});

test("readProxyConfig serves the Workload API to whom it is told, and not unless it is told where", (t) => {
  const read = (change: Record<string, string>) =>
    readProxyConfig({ ...good, ...change }).workloadApi;
  t.is(read({}), null);
  t.is(read({ SIGNET_WORKLOAD_USERS: "7" }), null);
  const socketPath = "/run/spiffe/workload.sock";
  const SIGNET_WORKLOAD_SOCKET = socketPath;
  t.deepEqual(read({ SIGNET_WORKLOAD_SOCKET }), { socketPath, users: null });
  const users = new Set([7, 4_294_967_294]);
  const SIGNET_WORKLOAD_USERS = "7, 4294967294";
  t.deepEqual(read({ SIGNET_WORKLOAD_SOCKET, SIGNET_WORKLOAD_USERS }), { socketPath, users });
});

const bad: readonly [title: string, change: Record<string, string>, what: RegExp][] = [
  [
    "a trust domain in capitals",
    { SIGNET_TRUST_DOMAIN: "Cluster" },
    /DOMAIN: Cannot read "Cluster"/,
  ],
  ["an empty trust domain", { SIGNET_TRUST_DOMAIN: "" }, /SIGNET_TRUST_DOMAIN: /],
  ["a controller without a port", { SIGNET_CONTROLLER_ADDRESS: "x" }, /ADDRESS: Cannot read "x"/],
  ["a controller as a URL", { SIGNET_CONTROLLER_ADDRESS: "http://x:80" }, /CONTROLLER_ADDRESS: /],
  ["attack-13 no root at all", { SIGNET_ROOT_FINGERPRINTS: "" }, /PRINTS: no root may be trusted/],
  ["attack-13 a list of no roots", { SIGNET_ROOT_FINGERPRINTS: " , " }, /PRINTS: no root may be/],
  ["half a fingerprint", { SIGNET_ROOT_FINGERPRINTS: "abcd" }, /PRINTS\.0: not 64 hexadecimal/],
  ["a second root that is none", { SIGNET_ROOT_FINGERPRINTS: `${root},x` }, /PRINTS\.1: not 64/],
  ["a pod address that is a name", { POD_IP: "localhost" }, /POD_IP: not an address/],
  ["a second address that is a name", { POD_IPS: "10.0.0.1,x" }, /POD_IPS\.1: not an address/],
  ["an opaque port of zero", { SIGNET_OPAQUE_PORTS: "0" }, /OPAQUE_PORTS\.0: not a port number/],
  ["an opaque port that is too high", { SIGNET_OPAQUE_PORTS: "80,65536" }, /OPAQUE_PORTS\.1: /],
  ["a range of opaque ports", { SIGNET_OPAQUE_PORTS: "80-90" }, /OPAQUE_PORTS\.0: not a port/],
  ["an opaque port in hexadecimal", { SIGNET_OPAQUE_PORTS: "0x50" }, /OPAQUE_PORTS\.0: not a port/],
  ["a life below 30 s", { SIGNET_SVID_LIFETIME_S: "29" }, /SIGNET_SVID_LIFETIME_S: /],
  ["a life above a day", { SIGNET_SVID_LIFETIME_S: "86401" }, /SIGNET_SVID_LIFETIME_S: /],
  ["a relative socket", { SIGNET_WORKLOAD_SOCKET: "a.sock" }, /_SOCKET: not an absolute path/],
  ["an empty socket", { SIGNET_WORKLOAD_SOCKET: "" }, /_SOCKET: not an absolute path/],
  [
    "a socket the kernel cannot hold",
    { SIGNET_WORKLOAD_SOCKET: `/${"x".repeat(107)}` },
    /_SOCKET: longer/,
  ],
  ["no user at all", { SIGNET_WORKLOAD_USERS: "" }, /_USERS: empty/],
  ["a user by name", { SIGNET_WORKLOAD_USERS: "7,root" }, /_USERS\.1: not a user's number/],
  ["a user that there cannot be", { SIGNET_WORKLOAD_USERS: "4294967295" }, /_USERS\.0: /],
  ["an empty time to drain", { SIGNET_DRAIN_S: "" }, /SIGNET_DRAIN_S: not a number/],
  ["an hour and a second to drain", { SIGNET_DRAIN_S: "3601" }, /SIGNET_DRAIN_S: /],
  ["a log level that is none", { SIGNET_LOG_LEVEL: "all" }, /SIGNET_LOG_LEVEL: /],
  ["a variable that nobody knows", { SIGNET_STRICT: "false" }, /SIGNET_STRICT: unknown variable/],
];
for (const [title, change, what] of bad) {
  test(`readProxyConfig refuses ${title}`, (t) => {
    const error = t.throws(() => readProxyConfig({ ...good, ...change }), {
      instanceOf: ConfigError,
    });
    t.is(error.code, "config_invalid");
    t.regex(error.message, /^Cannot start: /);
    t.regex(error.message, what);
    t.is(error.next, "Correct the named environment variables and start again");
  });
}

for (const name of Object.keys(good)) {
  test(`readProxyConfig does not start without ${name}`, (t) => {
    const without = Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
    const message = new RegExp(`${name}: `);
    t.throws(() => readProxyConfig(without), { instanceOf: ConfigError, message });
    t.throws(() => readProxyConfig({ ...good, [name]: "" }), { instanceOf: ConfigError, message });
  });
}

test("readProxyConfig tells every fault at once", (t) => {
  const environment = { ...good, POD_IP: "x", SIGNET_TRUST_DOMAIN: "X", SIGNET_DRAIN_S: "soon" };
  const { message } = t.throws(() => readProxyConfig(environment), { instanceOf: ConfigError });
  for (const name of ["POD_IP: ", "SIGNET_TRUST_DOMAIN: ", "SIGNET_DRAIN_S: "]) {
    t.true(message.includes(name), message);
  }
});

test("readProxyConfig takes limits on pressure and connections, within their bounds", (t) => {
  const config = readProxyConfig({
    ...good,
    SIGNET_OVERLOAD_LAG_MS: "100",
    SIGNET_OVERLOAD_MEMORY_PERCENT: "60",
    SIGNET_CONNECTIONS_MAX: "300",
  });
  t.like(config.pressure, {
    lagMs: 100,
    lagSevereMs: 400,
    memoryShare: 0.6,
    memorySevereShare: 0.8,
  });
  t.is(config.connectionsMax, 300);
  t.like(readProxyConfig(good).pressure, { lagMs: 250, lagSevereMs: 1000, memoryShare: 0.85 });
  t.is(readProxyConfig(good).connectionsMax, 20_000);
  for (const [name, value] of [
    ["SIGNET_OVERLOAD_LAG_MS", "0"],
    ["SIGNET_OVERLOAD_MEMORY_PERCENT", "100"],
    ["SIGNET_CONNECTIONS_MAX", "1.5"],
  ] as const) {
    const error = t.throws(() => readProxyConfig({ ...good, [name]: value }), {
      instanceOf: ConfigError,
    });
    t.regex(error?.message ?? "", new RegExp(name));
  }
});
