// Pods and Services with an address of each family: the mesh holds for the second as for the first.
import test from "ava";
import type { ExecutionContext } from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { eventually } from "../kit/eventually.ts";
import { applyObjects, getObject, kubectl, tryKubectl } from "../kit/kubectl.ts";
import type { ApiObject } from "../kit/kubectl.ts";
import { installMesh } from "../kit/mesh.ts";
import { readyPod } from "../kit/pods.ts";
import { appB, client, meshed, pod, policy, service, statusOf } from "../kit/workloads.ts";
import { isDualStack } from "../settings.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

/** The Service, or null on somebody else's cluster that has one family. */
async function dualService(
  t: ExecutionContext,
  namespace: string,
  name: string,
): Promise<ApiObject | null> {
  const wanted = JSON.stringify(service(name, { ipFamilyPolicy: "RequireDualStack" }));
  const create = ["create", "--filename=-", `--namespace=${namespace}`];
  const { exitCode, stderr } = await tryKubectl(create, { input: wanted });
  if (exitCode === 0) return getObject("service", name, namespace);
  const isOurs = process.env["SIGNET_TEST_RIG"] !== undefined;
  if (isOurs && isDualStack) t.fail(stderr);
  else t.pass("only where the cluster has both families");
  return null;
}

/** Asks until the answer is the wanted one: an endpoint may be there a moment late. */
function answer(from: string, url: string, wanted: number): Promise<number> {
  return eventually(`${from} gets ${wanted} from ${url}`, async () => {
    const found = await statusOf(from, url);
    return found === wanted ? found : null;
  });
}

clusterTest(
  "attack-31 both families of a Service are mutual TLS under strict, and plaintext gets in by neither",
  async (t, { name }) => {
    const found = await dualService(t, name, "app-b");
    if (found === null) return;
    const outside = `${name}-outside`;
    await kubectl(["create", "namespace", outside]);
    try {
      await applyObjects([appB, client, service("six", { ...sixOnly })], name);
      await eventually("the default account of the other namespace", () =>
        getObject("serviceaccount", "default", outside),
      );
      await applyObjects([client], outside);
      const { status } = await readyPod(name, "app-b");
      await readyPod(name, "client");
      await readyPod(outside, "client");
      const podAddresses = (status.podIPs as { ip: string }[]).map(({ ip }) => ip);
      t.is(podAddresses.length, 2);
      const urls = [
        ...(found["spec"].clusterIPs as string[]).map((address) => `http://${bracketed(address)}/`),
        ...podAddresses.map((address) => `http://${bracketed(address)}:8080/`),
        `http://six.${name}/`,
      ].map((url) => `${url}hello`);
      // A stranger gets in by each of them as long as he may: or a refusal would prove nothing.
      for (const url of urls) t.is(await answer(outside, url, 200), 200, url);
      await applyObjects([policy("STRICT")], name);
      await answer(outside, urls[0]!, 0);
      const proven = await Promise.all(urls.map((url) => statusOf(name, url)));
      t.deepEqual(proven, [200, 200, 200, 200, 200]);
      const [four = "", six = ""] = podAddresses;
      const own = [4000, 5000].map((port) => `http://${bracketed(six)}:${port}/hello`);
      const refused = await Promise.all([...urls, ...own].map((url) => statusOf(outside, url)));
      t.deepEqual(refused, [0, 0, 0, 0, 0, 0, 0]);
      await proofsFor(t, name, [`${four}:8080`, `${bracketed(six)}:8080`]);
      const init = ["logs", "client", `--namespace=${name}`, "--container=proxy-init"];
      t.regex(await kubectl(init), /ipv6: rules written/);
    } finally {
      await kubectl(["delete", "namespace", outside, "--wait=false"]);
    }
  },
  meshed,
);

const sixOnly = { selector: { app: "app-b" }, ipFamilies: ["IPv6"] };

/** The client's sidecar carried requests to each, and app-b's sidecar saw the client's identity. */
async function proofsFor(
  t: ExecutionContext,
  namespace: string,
  upstreams: readonly string[],
): Promise<void> {
  const id = `spiffe://cluster.local/ns/${namespace}/sa/default`;
  const within = [`--namespace=${namespace}`, "--container=proxy"];
  for (const upstream of upstreams) {
    const line = await eventually(`the caller's log names ${upstream}`, async () => {
      const lines = (await kubectl(["logs", "client", ...within])).split("\n");
      return lines.find((each) => each.includes(`"${upstream}"`)) ?? null;
    });
    t.regex(line, new RegExp(`"dst.identity":"${id}"`));
  }
  const logs = (await kubectl(["logs", "app-b", ...within])).split("\n");
  const proven = logs.filter((line) => line.includes(`"src.identity":"${id}"`));
  t.true(proven.some((line) => line.includes(`"${upstreams.at(-1)}"`)));
}

clusterTest(
  "an application that listens on IPv4 alone is asked by IPv4 alone",
  async (t, { name }) => {
    const found = await dualService(t, name, "four");
    if (found === null) return;
    const script = `require("http").createServer((request, response) =>
      response.end()).listen(8080, "0.0.0.0")`;
    const four = pod("four", "signet/client", { container: { command: ["node", "-e", script] } });
    await applyObjects([four, client], name);
    await readyPod(name, "four");
    await readyPod(name, "client");
    const [address = ""] = found["spec"].clusterIPs as string[];
    const url = `http://${bracketed(address)}/`;
    await answer(name, url, 200);
    const logs = (): Promise<string> =>
      kubectl(["logs", "client", `--namespace=${name}`, "--container=proxy"]);
    const statuses = await Promise.all(Array.from({ length: 12 }, () => statusOf(name, url)));
    t.deepEqual(new Set(statuses), new Set([200]));
    const lines = await eventually("all of them are in the log", async () => {
      const all = (await logs()).split("\n").filter((line) => line.includes('"upstream"'));
      return all.length > 12 ? all : null;
    });
    // Another try would hide that the first one went to where nobody listens.
    t.deepEqual(
      lines.filter((line) => line.includes("[fd") || !line.includes('"tries":1')),
      [],
    );
  },
  meshed,
);

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
