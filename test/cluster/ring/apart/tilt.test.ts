// The Tiltfile that users get, run by Tilt itself: a mesh from nothing, and code that is edited while it
// runs. Only on a cluster of ours, because the images have to be brought to its node (ring.ts leaves it out).
import test from "ava";
import { eventually } from "../../kit/eventually.ts";
import { getObject, kubectl, listObjects } from "../../kit/kubectl.ts";
import type { ApiObject } from "../../kit/kubectl.ts";
import { uninstallMesh } from "../../kit/mesh.ts";
import { editFile, removeSite, tilt, tiltCi, tiltSite, tiltUp } from "../../kit/tilt.ts";
import type { RunningTilt, TiltSite } from "../../kit/tilt.ts";

const built = /^signet\/[a-z-]+:tilt-build-\d+$/;
const httpRoute = "crd/httproutes.gateway.networking.k8s.io";
const slowMs = 180_000;
/** At the head of a program: behind its end it would wait until the program stops. */
const sayEdited = 'process.stdout.write("edited\\n");\n';

let site: TiltSite;
let up: RunningTilt | null = null;

// As a cluster that has nothing of it: no mesh, and no Gateway API either.
test.before(async (t) => {
  t.timeout(slowMs);
  await uninstallMesh();
  await kubectl(["delete", httpRoute, "--ignore-not-found"]);
  site = await tiltSite();
});

// The other files find an empty cluster, and install the mesh that they know.
test.after.always(async (t) => {
  t.timeout(slowMs);
  await up?.stop();
  const { exitCode, stderr } = await tilt(site, ["down", "--delete-namespaces"]);
  removeSite(site);
  t.is(exitCode, 0, stderr);
  // Tilt does not wait for them to be gone.
  const namespaces = ["signet-system", "app-a", "app-b", "outside"];
  const gone = ["delete", "namespace", ...namespaces, "--ignore-not-found", "--wait"];
  await kubectl(gone, { timeoutMs: slowMs });
});

test.serial("a cluster that nobody named is refused", async (t) => {
  const environment = { ...site.environment, SIGNET_ALLOW_CONTEXT: "" };
  const { exitCode, stdout } = await tiltCi({ ...site, environment });
  t.not(exitCode, 0);
  t.regex(stdout, /might be production/);
});

test.serial(
  "tilt ci installs mesh and demo from nothing, and ends when all is ready",
  async (t) => {
    t.timeout(2 * slowMs);
    const { exitCode, stdout, stderr } = await tiltCi(site);
    t.is(exitCode, 0, `${stdout.slice(-4000)}\n${stderr}`);
    t.regex(stdout, /SUCCESS/);
    await kubectl(["get", httpRoute]);
    const environment = await injectorEnvironment();
    for (const pod of [...(await livePods("app-a")), ...(await livePods("app-b"))]) {
      const { name } = pod.metadata;
      const images = imagesOf(pod);
      t.is(images.get("proxy"), environment.get("IMAGE_TO_DEPLOY_PROXY"), name);
      t.is(images.get("proxy-init"), environment.get("IMAGE_TO_DEPLOY_PROXY_INIT"), name);
      for (const image of images.values()) t.regex(image, built, name);
    }
    const answer = await eventually("app-a is answered", () => lastAnswer(/Hello from app-b/));
    t.regex(answer, /^HTTP\/1\.1 200 OK$/m);
    t.regex(answer, /^server: signet$/m, "by way of the sidecars");
  },
);

test.serial(
  "what is edited is what runs: without an image built, but for the sidecar",
  async (t) => {
    t.timeout(3 * slowMs);
    const former = await injectorEnvironment();
    editFile(site, "proxy/main.ts", (text) => sayEdited + text);
    up = tiltUp(site);
    await up.whenReady("sidecars");
    await eventually("the injector has another sidecar", async () =>
      (await injectorEnvironment()).get("IMAGE_TO_DEPLOY_PROXY") !==
      former.get("IMAGE_TO_DEPLOY_PROXY")
        ? true
        : null,
    );
    await eventually("every pod has it", sidecarsArePresent);
    const log = await kubectl(["logs", "deploy/app-b-v1", "-c=proxy", "-napp-b"]);
    t.regex(log, /^edited$/m);
    await eventually("app-a is answered by the new pods", () => lastAnswer(/Hello from app-b/));
    const before = await livePods("app-b");

    editFile(site, "apps/app-b/server.ts", (text) => text.replace("Hello from", "Good day from"));
    t.truthy(await eventually("app-b answers otherwise", () => lastAnswer(/Good day from app-b/)));
    t.deepEqual((await livePods("app-b")).map(uidOf), before.map(uidOf), "the same pods");

    const controllers = await livePods("signet-system", "app.kubernetes.io/name=signet-controller");
    editFile(site, "controller/main.ts", (text) => sayEdited + text);
    for (const { metadata } of controllers) {
      await eventually(`${metadata.name} runs the edit`, async () => {
        const log = await kubectl(["logs", metadata.name, "-c=controller", "-nsignet-system"]);
        return /^edited$/m.test(log) ? true : null;
      });
    }
    const after = await livePods("signet-system", "app.kubernetes.io/name=signet-controller");
    t.deepEqual(after.map(uidOf), controllers.map(uidOf), "the same pods");

    await up.trigger("canary-50-50");
    const weights = await eventually("the button changes the weights", async () => {
      const { spec } = await getObject("httproute", "app-b", "app-b");
      const refs = spec.rules[0].backendRefs as { weight: number }[];
      return refs[0]?.weight === 50 ? refs.map((each) => each.weight) : null;
    });
    t.deepEqual(weights, [50, 50]);
    await up.trigger("strict-enforce");
    await eventually("the button makes app-b strict", async () => {
      const { spec } = await getObject("peerauthentication", "default", "app-b");
      return spec.mtls.mode === "STRICT" ? true : null;
    });

    t.notRegex(up.output(), /Error in/);
  },
);

/** The newest whole answer in app-a's log, if it is such a one. */
async function lastAnswer(pattern: RegExp): Promise<string | null> {
  const log = await kubectl(["logs", "deploy/app-a", "--namespace=app-a", "-c=app-a", "--tail=30"]);
  const answer = log.split(/^Response #\d+$/m).at(-2) ?? log;
  return pattern.test(answer) ? answer.trim() : null;
}

async function sidecarsArePresent(): Promise<true | null> {
  const environment = await injectorEnvironment();
  const pods = [...(await livePods("app-a")), ...(await livePods("app-b"))];
  const present = pods.every(
    (pod) =>
      imagesOf(pod).get("proxy") === environment.get("IMAGE_TO_DEPLOY_PROXY") && isReady(pod),
  );
  return present && pods.length === 3 ? true : null;
}

async function injectorEnvironment(): Promise<ReadonlyMap<string, string>> {
  const { spec } = await getObject("deployment", "signet-injector", "signet-system");
  const env = spec.template.spec.containers[0].env as { name: string; value: string }[];
  return new Map(env.map(({ name, value }) => [name, value]));
}

/** Those that are not about to go. */
async function livePods(namespace: string, selector = ""): Promise<readonly ApiObject[]> {
  const pods = await listObjects("pods", namespace, selector);
  return pods.filter((pod) => pod.metadata["deletionTimestamp"] === undefined);
}

/** Container -> image. */
function imagesOf({ spec }: ApiObject): ReadonlyMap<string, string> {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return new Map(containers.map(({ name, image }) => [name, image]));
}

function isReady({ status }: ApiObject): boolean {
  const conditions = (status.conditions ?? []) as { type: string; status: string }[];
  return conditions.some((each) => each.type === "Ready" && each.status === "True");
}

function uidOf({ metadata }: ApiObject): string {
  return metadata.uid ?? "";
}
