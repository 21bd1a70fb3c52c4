// install, inject, version and uninstall as a person uses them, on a cluster that begins without the mesh
// and is left with it. One test after the other: each begins where the last one ended.
import path from "node:path";
import test from "ava";
import { eventually } from "../../kit/eventually.ts";
import { applyObjects, execute, getObject, kubectl, tryKubectl } from "../../kit/kubectl.ts";
import type { ApiObject } from "../../kit/kubectl.ts";
import { rollout } from "../../kit/mesh.ts";
import { readyPod } from "../../kit/pods.ts";
import { signet, signetAtTerminal, signetJson, signetText } from "../../kit/signet.ts";
import { appB, appBDeployment, client, policy, service, statusOf } from "../../kit/workloads.ts";
import { checkout } from "../../settings.ts";

const home = "signet-system";
/** With the label, and without. */
const meshed = "signet-test-install-meshed";
const plain = "signet-test-install-plain";
const bundlePort = 8445;
const workloads = ["statefulset/signet-controller", "deployment/signet-injector"];

test.before("the cluster begins without the mesh", async (t) => {
  t.timeout(300_000);
  const { exitCode, stderr } = await signet(["uninstall", "--yes", "--force"], {
    timeoutMs: 250_000,
  });
  t.is(exitCode, 0, stderr);
});

test.after.always("namespaces of these tests go", async () => {
  await kubectl(["delete", "namespace", meshed, plain, "--ignore-not-found", "--wait=false"]);
  await kubectl([
    "delete",
    "persistentvolume",
    volume.metadata.name,
    "--ignore-not-found",
    "--wait=false",
  ]);
});

test.serial("uninstall of nothing says so and is well", async (t) => {
  const { exitCode, stderr } = await signet(["uninstall"]);
  t.is(exitCode, 0);
  t.regex(stderr, /nothing to remove/);
  t.deepEqual(await leftovers(), []);
});

test.serial("install prints what kustomize makes of the same files", async (t) => {
  for (const [folder, options] of [
    ["k8s/base", []],
    ["k8s/overlays/development", ["--no-storage"]],
  ] as const) {
    const made = await kubectl(["kustomize", path.join(checkout, folder)]);
    const wanted = byName(await asObjects(made));
    const printed = byName(await asObjects(await signetText(["install", ...options])));
    t.deepEqual(printed, wanted, folder);
  }
});

test.serial(
  "install | kubectl apply makes the mesh, and a second time changes nothing",
  async (t) => {
    const manifests = await signetText(["install", "--no-storage", `--bundle-port=${bundlePort}`]);
    const apply = (...more: string[]): Promise<string> =>
      kubectl(["apply", "--filename=-", ...more], { input: manifests });
    t.notRegex(await apply(), /unchanged|configured/);
    for (const name of workloads) await rollout(name, home);
    const before = await versions(manifests);
    const said = (await apply()).trim().split("\n");
    t.true(said.length > 20);
    // Of a budget kubectl sends the selector each time; that nothing came of it is seen below.
    const isQuiet = (line: string): boolean =>
      line.endsWith(" unchanged") || line.startsWith("poddisruptionbudget.policy/");
    t.deepEqual(
      said.filter((line) => !isQuiet(line)),
      [],
    );
    t.deepEqual(await versions(manifests), before);
    // Who applies by the other way takes the same objects over, and restarts nothing.
    const pods = await revisions();
    for (const _time of [1, 2]) t.notRegex(await apply("--server-side"), /conflict|error/i);
    t.deepEqual(await revisions(), pods);
  },
);

test.serial("install takes every option, and an API server takes what comes of it", async (t) => {
  const options = ["--registry=registry.test:5000/mesh", "--tag=v9", "--replicas=3"];
  const more = ["--storage=fast", "--storage-size=2Gi", "--image-pull-secret=pull"];
  const identity = ["--trust-domain=mesh.test", "--svid-lifetime=1h"];
  const objects = await asObjects(await signetText(["install", ...options, ...more, ...identity]));
  for (const object of objects) {
    // What cannot be changed in place is tried under another name.
    const metadata = { ...object.metadata, name: `tried-${object.metadata.name}` };
    const isTried = ["StatefulSet", "Deployment", "ServiceAccount"].includes(object.kind);
    if (!isTried) continue;
    const input = JSON.stringify({ ...object, metadata });
    const create = ["create", "--dry-run=server", "--filename=-", "--output=json"];
    const made = JSON.parse(await kubectl(create, { input })) as ApiObject;
    if (object.kind === "ServiceAccount") {
      t.deepEqual(made["imagePullSecrets"], [{ name: "pull" }]);
      continue;
    }
    t.is(made["spec"].replicas, 3);
    t.regex(made["spec"].template.spec.containers[0].image, /^registry.test:5000\/mesh\/\w+:v9$/);
  }
});

test.serial("version says what the cluster runs", async (t) => {
  const { signet: version, cluster } = (await signetJson(["version"])) as {
    signet: string;
    cluster: {
      kubernetes: string;
      controllers: string[];
      mesh: { name: string; ready: number; image: string }[];
    };
  };
  t.deepEqual(cluster.controllers, [version, version]);
  t.regex(cluster.kubernetes, /^v1\.\d+/);
  t.deepEqual(
    cluster.mesh.map(({ name, ready }) => [name, ready]),
    [
      ["signet-controller", 2],
      ["signet-injector", 2],
    ],
  );
});

test.serial(
  "inject: the webhook takes a pod that has its sidecar already, and adds none",
  async (t) => {
    await makeNamespace(meshed, { "signet.dev/inject": "enabled" });
    const manifests = asText([inNamespace(meshed, appBDeployment(6)), inNamespace(meshed, client)]);
    const injected = await signetText(["inject"], manifests);
    t.is(await signetText(["inject", "-"], injected), injected, "twice is as good as once");
    await applyObjects([service("app-b")], meshed);
    t.regex(await kubectl(["apply", "--filename=-"], { input: injected }), /created/);
    await rollout("deployment/app-b", meshed);
    await readyPod(meshed, "client");
    for (const pod of await podsOf(meshed)) {
      t.deepEqual(namesOf(pod["spec"].initContainers), ["proxy-init", "proxy"]);
    }
    // Their template is what stands in the pods: nothing was added to it on the way in.
    const { spec } = await getObject("deployment", "app-b", meshed);
    t.deepEqual(namesOf(spec["template"].spec.initContainers), ["proxy-init", "proxy"]);
    t.is(await answered(meshed, `http://app-b.${meshed}/hello`), 200);
  },
);

test.serial("install --bundle-port leads to the bundle, from any pod", async (t) => {
  const place = { namespace: meshed, pod: "client", container: "client" };
  const { exitCode, stdout, stderr } = await execute(place, ["node", "-e", fetchBundle]);
  t.is(exitCode, 0, stderr);
  const { keys } = JSON.parse(stdout) as { keys: { use: string }[] };
  t.deepEqual([...new Set(keys.map(({ use }) => use))].toSorted(), ["jwt-svid", "x509-svid"]);
});

/** Without asking who it is: that is what a federation is for. */
const fetchBundle = `
const url = "https://signet-bundle.signet-system:${bundlePort}/bundle";
require("https").get(url, { rejectUnauthorized: false }, (response) => response.pipe(process.stdout));
`;

test.serial(
  "inject: works without label and webhook, since the controllers bring the roots",
  async (t) => {
    await makeNamespace(plain, {});
    const manifests = asText([inNamespace(plain, appB)]);
    const injected = await signetText(["inject"], manifests);
    await kubectl(["apply", "--filename=-"], { input: injected });
    await applyObjects([service("app-b"), policy("STRICT")], plain);
    const pod = await readyPod(plain, "app-b");
    t.deepEqual(namesOf(pod["spec"].initContainers), ["proxy-init", "proxy"]);
    t.is(await answered(meshed, `http://app-b.${plain}/hello`), 200);
    // The access log is written in a moment's time.
    const identity = `"src.identity":"spiffe://cluster.local/ns/${meshed}/sa/default"`;
    await eventually("the caller's identity in the log", async () => {
      const place = ["app-b", `--namespace=${plain}`, "--container=proxy"];
      return (await kubectl(["logs", ...place])).includes(identity) ? true : null;
    });
  },
);

test.serial(
  "inject refuses what the webhook refuses, in the same words, and prints nothing",
  async (t) => {
    const hostile = inNamespace(meshed, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "hostile" },
      spec: { hostNetwork: true, containers: [{ name: "a", image: "signet/client" }] },
    });
    const told = await signet(["inject"], { input: asText([hostile]) });
    t.is(told.exitCode, 1);
    t.is(told.stdout, "");
    const create = ["create", "--dry-run=server", "--filename=-"];
    const webhook = await tryKubectl(create, { input: JSON.stringify(hostile) });
    const sentence = /Cannot inject pod "hostile": .*whole node/;
    t.regex(told.stderr, sentence);
    t.is(sentence.exec(webhook.stderr)?.[0], sentence.exec(told.stderr)?.[0]);
  },
);

test.serial("uninstall refuses while pods with a sidecar run, and names them", async (t) => {
  const { exitCode, stderr } = await signet(["uninstall", "--yes"], { timeoutMs: 200_000 });
  t.is(exitCode, 1);
  t.regex(stderr, new RegExp(`4 pods with a sidecar .*${plain}/app-b`));
  t.regex(stderr, /kubectl label namespace .*signet\.dev\/inject-/);
  const asked = await signet(["uninstall", "--force"]);
  t.is(asked.exitCode, 1, "nobody is there to be asked");
  t.regex(asked.stderr, /Say --yes/);
  const declined = await signetAtTerminal(["uninstall", "--force"], "n\n");
  t.is(declined.exitCode, 1);
  t.regex(declined.stdout, /Remove all of this from cluster .*\? \[y\/N\][^]*nothing was removed/);
  for (const name of workloads) await rollout(name, home);
});

test.serial("uninstall leaves nothing", async (t) => {
  await kubectl(["delete", "pod", "app-b", "client", "-n", plain, "--ignore-not-found"]);
  await kubectl(["delete", "deployment,pod", "--all", "-n", meshed]);
  await applyObjects([volume], "");
  await applyObjects([policy("PERMISSIVE"), claim], home);
  await eventually("the ledger has its volume", async () => {
    const { status } = await getObject("persistentvolumeclaim", claim.metadata.name, home);
    return status["phase"] === "Bound" ? true : null;
  });
  const plan = await signetText(["uninstall", "--dry-run"]);
  for (const line of [
    "MutatingWebhookConfiguration signet-injector",
    `ConfigMap ${meshed}/signet-trust-bundle`,
    `PeerAuthentication ${plain}/default`,
    `PersistentVolumeClaim ${home}/data-signet-controller-0`,
    "CustomResourceDefinition peerauthentications.signet.dev",
    "Namespace signet-system",
  ]) {
    t.true(plan.includes(line), line);
  }
  t.not((await leftovers()).length, 0, "a dry run removes nothing, and leftovers are seen");
  const { exitCode, stderr } = await signet(["uninstall", "--yes"], { timeoutMs: 200_000 });
  t.is(exitCode, 0, stderr);
  t.regex(stderr, /removing the webhooks[^]*the mesh is removed/);
  t.regex(stderr, new RegExp(`still labelled .*${meshed}`));
  t.regex(stderr, new RegExp(`hold the ledgers still: ${volume.metadata.name};`));
  await kubectl(["delete", "persistentvolume", volume.metadata.name]);
  t.deepEqual(await leftovers(), []);
  t.regex(
    (await signet(["uninstall", "--yes"], { timeoutMs: 200_000 })).stderr,
    /nothing to remove/,
  );
  // Labels without webhooks: pods are made as if there had never been a mesh.
  await applyObjects([client], meshed);
  t.is((await readyPod(meshed, "client"))["spec"].initContainers, undefined);
  await kubectl(["delete", "pod", "client", "-n", meshed, "--wait=false"]);
});

test.serial("install works again, server-side, twice", async (t) => {
  const input = await signetText(["install", "--no-storage"]);
  for (const _time of [1, 2]) {
    const said = await kubectl(["apply", "--server-side", "--filename=-"], { input });
    t.notRegex(said, /conflict|error/i);
  }
  for (const name of workloads) await rollout(name, home);
  await makeNamespace(meshed, { "signet.dev/inject": "enabled" });
  await applyObjects([inNamespace(meshed, { ...(appB as ApiObject) })], meshed);
  const pod = await readyPod(meshed, "app-b");
  t.is(pod.metadata.annotations?.["signet.dev/status"], "injected");
});

const volume = {
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "signet-test-install-ledger" },
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    persistentVolumeReclaimPolicy: "Retain",
    hostPath: { path: "/tmp/signet-test-install-ledger" },
    claimRef: { namespace: home, name: "data-signet-controller-0" },
  },
};

/** As a ledger's claim is called; no storage class serves it here, but the volume above. */
const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data-signet-controller-0" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};

/** Everything on the cluster, of any kind that can be listed, that bears the mesh's label or name. */
async function leftovers(): Promise<readonly string[]> {
  const kinds = await kubectl(["api-resources", "--verbs=list", "--output=name"]);
  const listed = kinds
    .trim()
    .split("\n")
    // What happened is kept for an hour, whatever becomes of those it happened to.
    .filter((kind) => !/^events\b/.test(kind))
    .join(",");
  const text = await kubectl(["get", listed, "--all-namespaces", "--output=json"]);
  const { items } = JSON.parse(text) as { items: ApiObject[] };
  return items
    .filter(({ metadata: { name, namespace = "", labels = {} } }) => {
      const isOurs = labels["app.kubernetes.io/part-of"] === "signet" || namespace === home;
      return isOurs || name.endsWith("signet.dev") || /^signet-(?!test)/.test(name);
    })
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
}

/** "kind namespace/name" -> resource version, of all that `manifests` name. */
async function versions(manifests: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await kubectl(["get", "--filename=-", "--output=json"], { input: manifests });
  const { items } = JSON.parse(text) as { items: ApiObject[] };
  // Status goes on by itself: where there is a generation, that is what was asked for.
  return Object.fromEntries(
    items.map(({ kind, metadata }) => [
      `${kind} ${metadata.namespace ?? ""}/${metadata.name}`,
      metadata["generation"] ?? metadata["resourceVersion"],
    ]),
  );
}

/** Which template the pods are of. */
async function revisions(): Promise<readonly unknown[]> {
  const [controller, injector] = await Promise.all([
    getObject("statefulset", "signet-controller", home),
    getObject("deployment", "signet-injector", home),
  ]);
  const revision = injector.metadata.annotations?.["deployment.kubernetes.io/revision"];
  return [controller["status"].updateRevision, revision];
}

/** YAML as the API's own reader takes it. */
async function asObjects(manifests: string): Promise<readonly ApiObject[]> {
  const create = ["create", "--dry-run=client", "--validate=false", "--filename=-"];
  const text = await kubectl([...create, "--output=json"], { input: manifests });
  const values = text.startsWith("{") ? text.replaceAll(/^}\n{/gm, "},{") : "";
  return (JSON.parse(`[${values}]`) as ApiObject[]).flatMap((object) =>
    object.kind === "List" ? (object["items"] as ApiObject[]) : [object],
  );
}

function byName(objects: readonly ApiObject[]): Readonly<Record<string, ApiObject>> {
  return Object.fromEntries(
    objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]),
  );
}

async function makeNamespace(
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  await applyObjects([{ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }], "");
  await eventually("the default account", () => getObject("serviceaccount", "default", name));
}

function inNamespace(namespace: string, object: object): object {
  const { metadata, ...rest } = object as ApiObject;
  return { ...rest, metadata: { ...metadata, namespace } };
}

function asText(objects: readonly object[]): string {
  return objects.map((object) => JSON.stringify(object)).join("\n---\n");
}

function namesOf(containers: readonly { readonly name: string }[] | undefined): readonly string[] {
  return (containers ?? []).map(({ name }) => name);
}

async function podsOf(namespace: string): Promise<readonly ApiObject[]> {
  const text = await kubectl(["get", "pods", `--namespace=${namespace}`, "--output=json"]);
  return (JSON.parse(text) as { items: ApiObject[] }).items;
}

function answered(from: string, url: string): Promise<number> {
  return eventually(`${url} answers`, async () => {
    const status = await statusOf(from, url);
    return status === 200 ? status : null;
  });
}
