// Applications that others wrote, as their users deploy them: with sidecars they answer as without.
import test from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { askAll, httpbin, loadApplications, nginx, nginxSites } from "../kit/applications.ts";
import type { Answer, Answers } from "../kit/applications.ts";
import { eventually } from "../kit/eventually.ts";
import { applyObjects, getObject, kubectl, listObjects } from "../kit/kubectl.ts";
import { installMesh, rollout } from "../kit/mesh.ts";
import { readyPod } from "../kit/pods.ts";
import { client, meshed, policy, service, statusOf } from "../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(600_000);
  await Promise.all([installMesh(), loadApplications()]);
});

/** HTTP/2 between the sidecars has names in lower case, and no reason phrase (RFC 9113 sections 8.2.1, 8.3.2). */
const asOverHttp2 = (text: string): string =>
  text
    .replaceAll(/^HTTP\/1\.1 (\d+).*(?=\r\n)/gm, "HTTP/1.1 $1")
    .replaceAll(/^[A-Za-z-]+(?=:)/gm, (name) => name.toLowerCase());

/** Of the connection, not of the answer; what differs from one second to the next; what the mesh says. */
const leftOut = new Set(["connection", "keep-alive", "date", "server"]);
/** What httpbin tells of its caller: only these may differ. */
const told = new Set(["origin", "Connection", "X-Forwarded-Client-Cert"]);

const webPort = { ports: [{ name: "http", port: 80, targetPort: "web" }] };
const objects = [nginxSites, httpbin, nginx, service("httpbin"), service("nginx", webPort), client];

clusterTest(
  "httpbin and nginx, injected unchanged and strict, answer as they do without a mesh",
  async (t, { name }) => {
    const outside = `${name}-outside`;
    await kubectl(["create", "namespace", outside]);
    try {
      await eventually("the default account of the other namespace", () =>
        getObject("serviceaccount", "default", outside),
      );
      await Promise.all([
        applyObjects([policy("STRICT"), ...objects], name),
        applyObjects(objects, outside),
      ]);
      for (const namespace of [name, outside]) {
        for (const each of ["httpbin", "nginx"]) await rollout(`deployment/${each}`, namespace);
        await readyPod(namespace, "client");
        const ready = async (): Promise<true | null> =>
          (await statusOf(namespace, "http://nginx/new/get")) === 200 ? true : null;
        await eventually("both answer", ready);
      }
      t.is(await statusOf(outside, `http://httpbin.${name}/get`), 0, "strangers are refused");
      const [within, without] = await Promise.all([askAll(name), askAll(outside)]);
      const faults = Object.entries(without).filter(([, { notes }]) => "error" in notes);
      t.deepEqual(faults, []);
      t.deepEqual(comparable(within), comparable(without));
      const log = ["logs", "deployment/httpbin", `--namespace=${name}`, "--container=proxy"];
      const caller = `"src.identity":"spiffe://cluster.local/ns/${name}/sa/default"`;
      t.true((await kubectl([...log, "--tail=-1"])).includes(caller));
      for (const each of await listObjects("pods", name)) {
        const statuses = each["status"].containerStatuses as { restartCount: number }[];
        t.deepEqual(
          statuses.map(({ restartCount }) => restartCount),
          statuses.map(() => 0),
          "kubelet's own probes pass",
        );
      }
    } finally {
      await kubectl(["delete", "namespace", outside, "--wait=false"]);
    }
  },
  meshed,
);

function comparable(answers: Answers): object {
  return Object.fromEntries(
    Object.entries(answers).map(([what, answer]) => [what, withoutConnection(answer)]),
  );
}

function withoutConnection({ status, headers, bytes, sha256, json, ...answer }: Answer): object {
  const notes = Object.fromEntries(
    Object.entries(answer.notes).map(([name, note]) => [
      name,
      typeof note === "string" ? asOverHttp2(note) : note,
    ]),
  );
  const pairs = headers.flatMap((each, index) =>
    index % 2 === 0 ? [`${each.toLowerCase()}: ${headers[index + 1]}`] : [],
  );
  // Whoever frames anew says so in a place of its own; those of one name keep their order.
  const kept = pairs
    .filter((pair) => !leftOut.has(nameOf(pair)))
    .toSorted((one, other) =>
      nameOf(one) < nameOf(other) ? -1 : Number(nameOf(one) > nameOf(other)),
    );
  if (json === null) return { status, headers: kept, notes, bytes, sha256 };
  // Its length is that of what it tells.
  const framed = kept.filter((pair) => !/^content-length:/i.test(pair));
  return { status, headers: framed, notes, json: withoutTold(json) };
}

function nameOf(pair: string): string {
  return pair.slice(0, pair.indexOf(":"));
}

function withoutTold(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTold);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !told.has(key));
  return Object.fromEntries(kept.map(([key, each]) => [key, withoutTold(each)]));
}
