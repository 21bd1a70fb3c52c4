import test from "ava";
import { ConfigError } from "#/lib/config.ts";
import { readWebhookConfig } from "./config.ts";

const root = "ab".repeat(32);

test("readWebhookConfig has defaults for all but the root", (t) => {
  const { injector: config, files } = readWebhookConfig({ SIGNET_ROOT_FINGERPRINTS: root });
  t.is(files, null);
  t.deepEqual(config.images, { proxyInit: "signet/proxy-init", proxy: "signet/proxy" });
  t.is(config.trustDomain, "cluster.local");
  t.is(config.sidecarForm, "native");
  t.deepEqual(config.excludablePorts, { inbound: [], outbound: [] });
});

test("readWebhookConfig leaves the pins to the mesh's own bundle when it is told none", (t) => {
  t.deepEqual(readWebhookConfig({}).injector.rootFingerprints, []);
});

test("readWebhookConfig takes the images that the build hands over", (t) => {
  const { injector } = readWebhookConfig({
    SIGNET_ROOT_FINGERPRINTS: root,
    IMAGE_TO_DEPLOY_PROXY_INIT: "localhost:5000/proxy-init:tilt-1@sha256:aa",
    IMAGE_TO_DEPLOY_PROXY: "proxy:dev",
  });
  t.is(injector.images.proxyInit, "localhost:5000/proxy-init:tilt-1@sha256:aa");
  t.is(injector.images.proxy, "proxy:dev");
});

test("readWebhookConfig reads fingerprints as openssl prints them", (t) => {
  const colons = root.toUpperCase().replaceAll(/(..)(?=.)/g, "$1:");
  const read = readWebhookConfig({ SIGNET_ROOT_FINGERPRINTS: `${colons}, ${"cd".repeat(32)}` });
  t.deepEqual(read.injector.rootFingerprints, [root, "cd".repeat(32)]);
});

for (const [title, environment] of [
  ["an empty list of roots", { SIGNET_ROOT_FINGERPRINTS: "," }],
  ["a fingerprint that is too short", { SIGNET_ROOT_FINGERPRINTS: "abcd" }],
  ["an empty image", { IMAGE_TO_DEPLOY_PROXY: "" }],
  ["an image with a space", { IMAGE_TO_DEPLOY_PROXY_INIT: "a b" }],
  ["a trust domain in capitals", { SIGNET_TRUST_DOMAIN: "Cluster.local" }],
  ["a controller without a port", { SIGNET_CONTROLLER_ADDRESS: "controller" }],
  ["an excludable port that is none", { SIGNET_EXCLUDABLE_INBOUND_PORTS: "80,http" }],
  ["a certificate without its key", { TLS_CERT_FILE: "/tls/tls.crt" }],
  ["a key file that is no path", { TLS_CERT_FILE: "/tls/tls.crt", TLS_KEY_FILE: "tls.key" }],
  ["an unknown variable", { SIGNET_ROOT_FINGERPRINT: root }],
] as const) {
  test(`readWebhookConfig refuses ${title}`, (t) => {
    const given =
      title.includes("root") || title.includes("fingerprint")
        ? environment
        : { SIGNET_ROOT_FINGERPRINTS: root, ...environment };
    t.throws(() => readWebhookConfig(given), { instanceOf: ConfigError });
  });
}
