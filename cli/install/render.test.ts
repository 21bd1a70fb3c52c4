import { readFileSync } from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import test from "ava";
import { parseYaml } from "#/lib/yaml.ts";
import type { KubernetesObject } from "../mesh.ts";
import { BaseError, readBase } from "./base.ts";
import { readInstallOptions } from "./options.ts";
import { addedObjects, imageOf, renderObject } from "./render.ts";

const repository = process.cwd();
const base = readBase(repository).map(({ object }) => object);

// oxlint-disable-next-line typescript/no-explicit-any -- manifests are read as whoever wrote them means
type Loose = any;

function rendered(given: Readonly<Record<string, string | true>>): readonly KubernetesObject[] {
  return base.map((object) => renderObject(object, readInstallOptions(given)));
}

function one(objects: readonly KubernetesObject[], kind: string, name: string): Loose {
  return objects.find((object) => object.kind === kind && object.metadata.name === name);
}

test("readBase reads what the kustomization names, in its order, each once", (t) => {
  const names = base.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  t.is(names[0], "Namespace signet-system");
  t.is(names[1], "CustomResourceDefinition peerauthentications.signet.dev");
  t.is(names[2], "CustomResourceDefinition identitysuspensions.signet.dev");
  t.is(names[3], "CustomResourceDefinition federatedtrustdomains.signet.dev");
  t.is(new Set(names).size, names.length);
  t.true(names.indexOf("Deployment signet-injector") < names.indexOf(webhooks));
  t.throws(() => readBase(path.join(repository, "certs-dev")), { instanceOf: BaseError });
});
const webhooks = "MutatingWebhookConfiguration signet-injector";

test("renderObject without options changes nothing", (t) => {
  t.deepEqual(rendered({}), base);
});

test("renderObject puts registry and tag before and behind every image of the mesh", (t) => {
  const text = JSON.stringify(rendered({ registry: "r.io/a", tag: "v2" }));
  const images = ["controller", "injector", "proxy", "proxy-init"];
  for (const image of images) t.true(text.includes(`"r.io/a/${image}:v2"`), image);
  t.notRegex(text, /"signet\/[a-z-]+"/);
});

test("imageOf leaves images of others alone", (t) => {
  const options = { registry: "r", tag: "t" };
  for (const name of ["nginx", "signet/other", "x/signet/proxy", "signet/proxy:v1"]) {
    t.is(imageOf(name, options), name);
  }
});

test("renderObject sets replicas, and no budget forbids to move the only one", (t) => {
  const objects = rendered({ replicas: "1" });
  t.is(one(objects, "StatefulSet", "signet-controller").spec.replicas, 1);
  t.is(one(objects, "Deployment", "signet-injector").spec.replicas, 1);
  for (const name of ["signet-controller", "signet-injector"]) {
    const { spec } = one(objects, "PodDisruptionBudget", name);
    t.is(spec.maxUnavailable, 1);
    t.is(spec.minAvailable, undefined);
  }
});

test("renderObject tells both processes the trust domain, the controller the lifetime", (t) => {
  const objects = rendered({ "trust-domain": "a.b", "svid-lifetime": "1h" });
  const told = (kind: string, name: string): Loose[] =>
    one(objects, kind, name).spec.template.spec.containers[0].env;
  const domain = { name: "SIGNET_TRUST_DOMAIN", value: "a.b" };
  const lifetime = { name: "SIGNET_SVID_LIFETIME_S", value: "3600" };
  t.deepEqual(told("StatefulSet", "signet-controller").slice(-2), [domain, lifetime]);
  t.deepEqual(told("Deployment", "signet-injector").at(-1), domain);
});

test("renderObject gives both accounts the pull secret", (t) => {
  const accounts = rendered({ "image-pull-secret": "pull" }).filter(
    ({ kind }) => kind === "ServiceAccount",
  );
  t.is(accounts.length, 2);
  for (const account of accounts) t.deepEqual(account["imagePullSecrets"], [{ name: "pull" }]);
});

test("renderObject asks for a storage class and a size", (t) => {
  const objects = rendered({ storage: "fast", "storage-size": "4Gi" });
  const [claim] = one(objects, "StatefulSet", "signet-controller").spec.volumeClaimTemplates;
  t.is(claim.spec.storageClassName, "fast");
  t.deepEqual(claim.spec.resources, { requests: { storage: "4Gi" } });
});

test("renderObject without storage does what the development overlay does", (t) => {
  const { spec } = one(rendered({ "no-storage": true }), "StatefulSet", "signet-controller");
  t.false("volumeClaimTemplates" in spec);
  const file = path.join(repository, "k8s/overlays/development/kustomization.yaml");
  const overlay = parseYaml(readFileSync(file, "utf8"))[0]!.value() as Loose;
  const operations = parseYaml(overlay.patches[0].patch)[0]!.value() as Loose[];
  t.deepEqual(spec.template.spec.volumes.at(-1), operations.find(({ op }) => op === "add").value);
});

test("renderObject mounts the wrapping key for controllers alone, and they start without it to say so", (t) => {
  const plain = rendered({});
  const objects = rendered({ "wrapping-key": "wrap", "no-storage": true });
  const { spec } = one(objects, "StatefulSet", "signet-controller").spec.template;
  const [container] = spec.containers;
  t.deepEqual(container.env.at(-1), {
    name: "SIGNET_KEY_ENCRYPTION_FILE",
    value: "/run/signet/wrapping-key/key",
  });
  t.deepEqual(container.volumeMounts.at(-1), {
    name: "wrapping-key",
    mountPath: "/run/signet/wrapping-key",
    readOnly: true,
  });
  t.deepEqual(spec.volumes.at(-1), {
    name: "wrapping-key",
    secret: {
      secretName: "wrap",
      optional: true,
      defaultMode: 0o440,
      items: [{ key: "key", path: "key" }],
    },
  });
  // Group and user that its mode is for.
  t.is(spec.securityContext.fsGroup, spec.securityContext.runAsGroup);
  const injector = one(objects, "Deployment", "signet-injector");
  t.deepEqual(injector, one(plain, "Deployment", "signet-injector"));
  t.false(JSON.stringify(plain).includes("SIGNET_KEY_ENCRYPTION_FILE"));
});

test("renderObject opens the bundle port of controllers alone, and a Service leads there", (t) => {
  const given = { "bundle-port": "8445" };
  const objects = rendered(given);
  const changed = objects.filter((object, index) => object !== base[index] && !isSame(object));
  t.deepEqual(
    changed.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ["StatefulSet signet-controller", "NetworkPolicy signet-controller"],
  );
  const [container] = one(objects, "StatefulSet", "signet-controller").spec.template.spec
    .containers;
  t.deepEqual(container.env.at(-1), { name: "SIGNET_BUNDLE_PORT", value: "8445" });
  t.deepEqual(container.ports.at(-1), { name: "bundle", containerPort: 8445 });
  const [rule] = one(objects, "NetworkPolicy", "signet-controller").spec.ingress;
  t.deepEqual(rule.ports.at(-1), { port: "bundle", protocol: "TCP" });
  const [service, ...none] = addedObjects(readInstallOptions(given)) as Loose[];
  t.deepEqual(none, []);
  t.is(service.spec.ports[0].targetPort, "bundle");
  const { labels } = one(objects, "StatefulSet", "signet-controller").spec.template.metadata;
  t.like(labels, service.spec.selector);
  t.deepEqual(addedObjects(readInstallOptions({})), []);
});

function isSame(object: KubernetesObject): boolean {
  return isDeepStrictEqual(object, one(base, object.kind, object.metadata.name));
}
