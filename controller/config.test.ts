import test from "ava";
import { ConfigError } from "#/lib/config.ts";
import { readControllerConfig } from "./config.ts";

const good = {
  SIGNET_CA_DIRECTORY: "/ca",
  SIGNET_DATA_DIRECTORY: "/data",
  SIGNET_WORLD: "unix:/run/world.sock",
  SIGNET_TOKEN_ISSUER: "https://issuer",
  SIGNET_TOKEN_JWKS_FILE: "/jwks.json",
  SIGNET_ADMIN_SOCKET: "/run/admin.sock",
};

test("readControllerConfig fills in the defaults", (t) => {
  t.like(readControllerConfig({ ...good, PATH: "/bin", POD_IP: "10.0.0.1" }), {
    trustDomain: "cluster.local",
    world: {
      kind: "socket",
      socketPath: "/run/world.sock",
      tokenIssuer: "https://issuer",
      tokenJwksFile: "/jwks.json",
    },
    svidLifetimeS: 900,
    grpcPort: 8443,
    adminPort: 8080,
    logLevel: "info",
  });
});

const bad: readonly [title: string, change: Record<string, string>, message: RegExp][] = [
  ["a trust domain in capitals", { SIGNET_TRUST_DOMAIN: "Cluster" }, /SIGNET_TRUST_DOMAIN: not a/],
  ["an empty trust domain", { SIGNET_TRUST_DOMAIN: "" }, /SIGNET_TRUST_DOMAIN/],
  ["a relative directory", { SIGNET_CA_DIRECTORY: "ca" }, /SIGNET_CA_DIRECTORY: not an absolute/],
  ["a world that is no socket", { SIGNET_WORLD: "http://x" }, /SIGNET_WORLD: not "kubernetes"/],
  ["a socket by a relative path", { SIGNET_WORLD: "unix:x" }, /SIGNET_WORLD: not "kubernetes"/],
  ["a cluster's tokens by a key set", { SIGNET_WORLD: "kubernetes" }, /SIGNET_TOKEN_ISSUER/],
  [
    "attack-14 keys from a service of the cloud's own",
    { SIGNET_TOKEN_JWKS_FILE: "http://169.254.169.254/latest/meta-data" },
    /SIGNET_TOKEN_JWKS_FILE: not an absolute/,
  ],
  [
    "attack-14 keys by a URL of a file",
    { SIGNET_TOKEN_JWKS_FILE: "file:///etc/passwd" },
    /SIGNET_TOKEN_JWKS_FILE: not an absolute/,
  ],
  [
    "attack-14 a world at a URL",
    { SIGNET_WORLD: "unix:http://127.0.0.1/" },
    /SIGNET_WORLD: not "kubernetes"/,
  ],
  ["an empty token issuer", { SIGNET_TOKEN_ISSUER: "" }, /SIGNET_TOKEN_ISSUER/],
  ["a life below 30 s", { SIGNET_SVID_LIFETIME_S: "29" }, /SIGNET_SVID_LIFETIME_S/],
  ["a life above a day", { SIGNET_SVID_LIFETIME_S: "86401" }, /SIGNET_SVID_LIFETIME_S/],
  ["a port that is none", { SIGNET_GRPC_PORT: "0" }, /SIGNET_GRPC_PORT/],
  ["a variable that nobody knows", { SIGNET_GRPCPORT: "1" }, /SIGNET_GRPCPORT: unknown/],
];
for (const [title, change, message] of bad) {
  const words = /^attack-\d+ /.test(title)
    ? title.replace(" ", " readControllerConfig refuses ")
    : `readControllerConfig refuses ${title}`;
  test(words, (t) => {
    t.throws(() => readControllerConfig({ ...good, ...change }), {
      instanceOf: ConfigError,
      message,
    });
  });
}

for (const name of Object.keys(good)) {
  test(`readControllerConfig does not start without ${name}`, (t) => {
    const without = Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
    t.throws(() => readControllerConfig(without), {
      code: "config_invalid",
      message: new RegExp(name),
    });
  });
}

const { SIGNET_TOKEN_ISSUER: _issuer, SIGNET_TOKEN_JWKS_FILE: _keys, ...clusterless } = good;
const cluster = { ...clusterless, SIGNET_WORLD: "kubernetes" };

test("readControllerConfig finds the cluster that its pod is in", (t) => {
  const pod = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  t.deepEqual(readControllerConfig({ ...cluster, ...pod }).world, {
    kind: "kubernetes",
    place: { kind: "pod", host: "fd00::1", port: "443" },
  });
});

test("readControllerConfig takes a kubeconfig before the pod's own cluster", (t) => {
  const both = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBECONFIG: "/k" };
  t.deepEqual(readControllerConfig({ ...cluster, ...both }).world, {
    kind: "kubernetes",
    place: { kind: "kubeconfig", file: "/k" },
  });
});

test("readControllerConfig does not look for a cluster where there is none", (t) => {
  t.throws(() => readControllerConfig(cluster), { code: "config_invalid", message: /KUBECONFIG/ });
});

test("readControllerConfig takes one place to read from what keys are wrapped under", (t) => {
  const [file, keys] = ["/run/kek", "ab".repeat(32)];
  t.is(readControllerConfig(good).keyEncryption, null);
  t.deepEqual(readControllerConfig({ ...good, SIGNET_KEY_ENCRYPTION_FILE: file }).keyEncryption, {
    file,
  });
  const given = { ...good, SIGNET_KEY_ENCRYPTION_KEY: keys };
  t.deepEqual(readControllerConfig(given).keyEncryption, { keys });
  const both = { ...given, SIGNET_KEY_ENCRYPTION_FILE: file };
  const error = t.throws(() => readControllerConfig(both), { message: /set one of them/ });
  t.false(error?.message.includes(keys));
  t.throws(() => readControllerConfig({ ...good, SIGNET_KEY_ENCRYPTION_KEY: "" }));
});
