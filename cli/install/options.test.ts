import test from "ava";
import { UsageError } from "../args.ts";
import { readInstallOptions } from "./options.ts";

test("readInstallOptions without options asks for nothing else than k8s/ says", (t) => {
  t.deepEqual(readInstallOptions({ output: "table" }), {
    images: { registry: null, tag: null },
    replicas: null,
    storage: { kind: "volume", storageClass: null, size: null },
    trustDomain: null,
    svidLifetimeS: null,
    imagePullSecret: null,
    wrappingKeySecret: null,
    bundlePort: null,
  });
});

test("readInstallOptions reads each option", (t) => {
  const options = readInstallOptions({
    registry: "localhost:5000/acme/signet_mesh",
    tag: "v1.2.3-rc.1",
    replicas: "9",
    storage: "fast-ssd",
    "storage-size": "512Mi",
    "trust-domain": "mesh.example.org",
    "svid-lifetime": "1h30m",
    "image-pull-secret": "registry",
    "wrapping-key": "wrap",
    "bundle-port": "8445",
  });
  t.deepEqual(options, {
    images: { registry: "localhost:5000/acme/signet_mesh", tag: "v1.2.3-rc.1" },
    replicas: 9,
    storage: { kind: "volume", storageClass: "fast-ssd", size: "512Mi" },
    trustDomain: "mesh.example.org",
    svidLifetimeS: 5400,
    imagePullSecret: "registry",
    wrappingKeySecret: "wrap",
    bundlePort: 8445,
  });
  t.deepEqual(readInstallOptions({ "no-storage": true }).storage, { kind: "none" });
});

for (const [name, value] of [
  ["bundle-port", "443"],
  ["bundle-port", "1023"],
  ["bundle-port", "8443"],
  ["bundle-port", "65536"],
  ["bundle-port", "08445"],
  ["bundle-port", "bundle"],
  ["wrapping-key", ""],
  ["wrapping-key", "Wrap"],
  ["wrapping-key", "signet-system/wrap"],
  ["wrapping-key", "signet-ca"],
  ["replicas", "0"],
  ["replicas", "10"],
  ["replicas", "1.5"],
  ["replicas", "-1"],
  ["registry", ""],
  ["registry", "Acme"],
  ["registry", "acme/"],
  ["registry", "https://acme"],
  ["registry", "a b"],
  ["registry", "a".repeat(201)],
  ["tag", ":v1"],
  ["tag", "a/b"],
  ["tag", "x".repeat(129)],
  ["storage", "Fast"],
  ["storage", ""],
  ["storage-size", "0Gi"],
  ["storage-size", "4GB"],
  ["storage-size", "1"],
  ["trust-domain", "Mesh"],
  ["trust-domain", ""],
  ["svid-lifetime", "29s"],
  ["svid-lifetime", "25h"],
  ["svid-lifetime", "30500ms"],
  ["svid-lifetime", "soon"],
  ["image-pull-secret", "a\nb"],
] as const) {
  test(`readInstallOptions refuses --${name} ${JSON.stringify(value).slice(0, 30)}`, (t) => {
    const error = t.throws(() => readInstallOptions({ [name]: value }), { instanceOf: UsageError });
    t.true(error.message.startsWith(`Cannot use --${name} "${value}"`));
    t.not(error.next, "");
  });
}
