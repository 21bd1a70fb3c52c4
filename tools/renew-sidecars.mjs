// Plain JavaScript for any Node since 18; `tilt up` runs it. Pods keep the sidecar that they were made
// with. When the injector has been given other images and is rolled out with them, this restarts the
// Deployments whose pods carry former ones.
//
//   node tools/renew-sidecars.mjs CONTEXT NAMESPACE...
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const [context, ...namespaces] = process.argv.slice(2);
const injector = ["--namespace=signet-system", "get", "deployment", "signet-injector"];
/** A pod that was being admitted while the former injector went away is seen at the second look. */
const secondLookMs = 3000;
const againMs = 2000;
/** Container of a pod -> variable of the injector that names its image. */
const variables = { proxy: "IMAGE_TO_DEPLOY_PROXY", "proxy-init": "IMAGE_TO_DEPLOY_PROXY_INIT" };

if (namespaces.length === 0) {
  process.stderr.write("Usage: node tools/renew-sidecars.mjs CONTEXT NAMESPACE...\n");
  process.exit(64);
}

let isLooking = false;
let isWanted = false;
for (;;) {
  // A line for the Deployment as it is, and one for each change of it.
  const watch = spawn(
    "kubectl",
    [`--context=${context}`, ...injector, "--watch", "--output=name"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  watch.on("error", (error) => process.stderr.write(`Cannot run kubectl: ${error.message}\n`));
  for await (const _line of createInterface({ input: watch.stdout })) void look();
  await sleep(againMs);
}

/** One look at a time; what changes meanwhile is looked at afterwards. */
async function look() {
  isWanted = true;
  if (isLooking) return;
  isLooking = true;
  while (isWanted) {
    isWanted = false;
    await renewAll().catch((error) => process.stderr.write(`${error.message}\n`));
  }
  isLooking = false;
}

async function renewAll() {
  const wanted = await injectedImages();
  if (wanted === null) return;
  await Promise.all(namespaces.map((namespace) => renew(namespace, wanted)));
  await sleep(secondLookMs);
  await Promise.all(namespaces.map((namespace) => renew(namespace, wanted)));
}

/** Container -> image that new pods get; null while the injector is being rolled out. */
async function injectedImages() {
  const { metadata, spec, status } = JSON.parse(await kubectl([...injector, "--output=json"]));
  const counts = [status.replicas, status.updatedReplicas, status.availableReplicas];
  const isDone = counts.every((count) => count === spec.replicas);
  if (!isDone || status.observedGeneration !== metadata.generation) return null;
  const environment = spec.template.spec.containers.flatMap((container) => container.env ?? []);
  const valueOf = (name) => environment.find((each) => each.name === name)?.value;
  return Object.fromEntries(Object.entries(variables).map(([key, name]) => [key, valueOf(name)]));
}

async function renew(namespace, wanted) {
  const within = `--namespace=${namespace}`;
  const pods = JSON.parse(await kubectl(["get", "pods", within, "--output=json"])).items;
  const former = pods.filter((pod) => isLive(pod) && containersOf(pod).some(isFormer));
  if (former.length === 0) return;
  const deployments = JSON.parse(await kubectl(["get", "deployments", within, "--output=json"]));
  for (const { metadata, spec } of deployments.items) {
    const labels = Object.entries(spec.selector.matchLabels ?? {});
    const isOurs = (pod) => labels.every(([key, value]) => pod.metadata.labels?.[key] === value);
    if (!former.some(isOurs)) continue;
    process.stdout.write(`${namespace}/${metadata.name} has a former sidecar: restarting it\n`);
    await kubectl(["rollout", "restart", `deployment/${metadata.name}`, within]);
    await kubectl(["rollout", "status", `deployment/${metadata.name}`, within, "--timeout=120s"]);
  }

  function isFormer({ name, image }) {
    return wanted[name] !== undefined && wanted[name] !== image;
  }
}

function isLive(pod) {
  return pod.metadata.deletionTimestamp === undefined;
}

function containersOf(pod) {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

/** What kubectl prints; rejects with what it complains of. */
function kubectl(words) {
  return new Promise((resolve, reject) => {
    const child = spawn("kubectl", [`--context=${context}`, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text) => (output[name] += text));
    }
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output.stdout);
      else reject(new Error(`kubectl ${words[0]} ended with ${code}: ${output.stderr.trim()}`));
    });
  });
}
