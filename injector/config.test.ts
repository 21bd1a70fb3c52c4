import test from "ava";
import { ConfigError } from "#/lib/config.ts";
import { readInjectorConfig } from "./config.ts";

const root = "ab".repeat(32);

test("readInjectorConfig has defaults for all but the root", (t) => {
  const config = readInjectorConfig({ SIGNET_ROOT_FINGERPRINTS: root });
  t.deepEqual(config.images, { proxyInit: "signet/proxy-init", proxy: "signet/proxy" });
  t.is(config.trustDomain, "cluster.local");
  t.is(config.sidecarForm, "native");
  t.deepEqual(config.excludablePorts, { inbound: [], outbound: [] });
});

test("readInjectorConfig takes the images that the build hands over", (t) => {
  const { images } = readInjectorConfig({
    SIGNET_ROOT_FINGERPRINTS: root,
    IMAGE_TO_DEPLOY_PROXY_INIT: "localhost:5000/proxy-init:tilt-1@sha256:aa",
    IMAGE_TO_DEPLOY_PROXY: "proxy:dev",
  });
  t.is(images.proxyInit, "localhost:5000/proxy-init:tilt-1@sha256:aa");
  t.is(images.proxy, "proxy:dev");
});

test("readInjectorConfig reads fingerprints as openssl prints them", (t) => {
  const colons = root.toUpperCase().replaceAll(/(..)(?=.)/g, "$1:");
  const config = readInjectorConfig({ SIGNET_ROOT_FINGERPRINTS: `${colons}, ${"cd".repeat(32)}` });
  t.deepEqual(config.rootFingerprints, [root, "cd".repeat(32)]);
});

for (const [title, environment] of [
  ["no root", {}],
  ["an empty list of roots", { SIGNET_ROOT_FINGERPRINTS: "," }],
  ["a fingerprint that is too short", { SIGNET_ROOT_FINGERPRINTS: "abcd" }],
  ["an empty image", { IMAGE_TO_DEPLOY_PROXY: "" }],
  ["an image with a space", { IMAGE_TO_DEPLOY_PROXY_INIT: "a b" }],
  ["a trust domain in capitals", { SIGNET_TRUST_DOMAIN: "Cluster.local" }],
  ["a controller without a port", { SIGNET_CONTROLLER_ADDRESS: "controller" }],
  ["an excludable port that is none", { SIGNET_EXCLUDABLE_INBOUND_PORTS: "80,http" }],
  ["an unknown variable", { SIGNET_ROOT_FINGERPRINT: root }],
] as const) {
  test(`readInjectorConfig refuses ${title}`, (t) => {
    const given =
      title.includes("root") || title.includes("fingerprint")
        ? environment
        : { SIGNET_ROOT_FINGERPRINTS: root, ...environment };
    t.throws(() => readInjectorConfig(given), { instanceOf: ConfigError });
  });
}
