// Identities on a real cluster: one is suspended while it talks, and a workload that knows nothing of Signet
// gets its own from the SPIFFE Workload API.
import path from "node:path";
import test from "ava";
import { clusterTest } from "../kit/cluster-test.ts";
import { eventually } from "../kit/eventually.ts";
import { applyObjects, execute } from "../kit/kubectl.ts";
import { installMesh } from "../kit/mesh.ts";
import { idleContainer, idlePod, readyPod } from "../kit/pods.ts";
import { signetJson } from "../kit/signet.ts";
import { findProgram } from "../prerequisites.ts";
import { meshed, pod, service, statusOf } from "../kit/workloads.ts";

test.before(async (t) => {
  t.timeout(300_000);
  await installMesh();
});

const account = (name: string): object => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name },
});

const talkPort = 7070;
const talkSecondsMax = 60;

/** Asks on one connection every 50 ms until it is asked to stop, and prints what came of each, and when. */
const talk = `
const http = require("http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const said = [];
const ask = () => http.get(process.argv[1], { agent, timeout: 2000 }, (response) => {
  response.resume();
  response.on("end", () => said.push([Date.now(), response.statusCode]));
}).on("error", () => said.push([Date.now(), 0]));
const timer = setInterval(ask, 50);
const stop = () => { clearInterval(timer); console.log(JSON.stringify(said)); setTimeout(process.exit, 100); };
setTimeout(stop, ${talkSecondsMax * 1000});
http.createServer(({ url }, response) => {
  response.end(String(said.filter(([, status]) => status === 200).length));
  if (url === "/stop") stop();
}).listen(${talkPort}, "127.0.0.1");
`;

interface Talk {
  /** Answers with 200 so far. */
  answered(): Promise<number>;
  stop(): Promise<readonly (readonly [atMs: number, status: number])[]>;
}

/** In a pod of this name, in its container of the same. */
function startTalk(namespace: string, pod: string, url: string): Talk {
  const place = { namespace, pod, container: pod };
  const said = execute(place, ["node", "-e", talk, url]);
  const tell = async (path: string): Promise<string> => {
    const script = `fetch("http://127.0.0.1:${talkPort}${path}").then(async (r) => console.log(await r.text()))`;
    return (await execute(place, ["node", "-e", script])).stdout;
  };
  return {
    answered: async () => Number(await tell("/")),
    stop: async () => {
      await tell("/stop");
      return JSON.parse((await said).stdout) as [number, number][];
    },
  };
}

interface Known {
  readonly unaware: readonly string[];
  readonly elapsedMs: number;
}

clusterTest(
  "an identity is suspended while it talks: its connections end, others talk on, and it can come back",
  async (t, { name }) => {
    const spec = { serviceAccountName: "app-b" };
    const objects = [account("app-b"), account("other"), service("app-b")];
    const client = idlePod("client");
    const other = idlePod("other", { serviceAccountName: "other" });
    await applyObjects([...objects, pod("app-b", "signet/app-b", { spec }), client, other], name);
    for (const each of ["app-b", "client", "other"]) await readyPod(name, each);
    const url = `http://app-b.${name}/hello`;
    const answers = async (): Promise<true | null> =>
      (await statusOf(name, url)) === 200 ? true : null;
    await eventually("app-b answers", answers);

    const talking = startTalk(name, "client", url);
    const beside = startTalk(name, "other", url);
    for (const each of [talking, beside]) {
      await eventually("it talks", async () => ((await each.answered()) > 20 ? true : null));
    }
    const identity = `${name}/default`;
    const told = ["identity", "suspend", identity, "--reason", "tried in a test"];
    const known = (await signetJson(told)) as Known;
    const returned = Date.now();
    t.deepEqual(known.unaware, []);
    const suspended = await talking.stop();
    const undisturbed = await beside.stop();
    const last = suspended.findLast(([, status]) => status === 200)?.[0] ?? 0;
    // The command ends some tenths of a second after it knows; two seconds are promised.
    const afterMs = Math.round(last - (returned - known.elapsedMs));
    t.log(`the last answer ${afterMs} ms after the suspension, all told in ${known.elapsedMs} ms`);
    const refused = suspended.filter(([at, status]) => at > last && status !== 200).length;
    t.true(last > 0 && refused > 0, `${suspended.length}, ${refused}`);
    t.true(afterMs < 1500, `${afterMs} ms`);
    const after = undisturbed.filter(([at]) => at > returned).length;
    t.true(after > 0, `${undisturbed.length}`);
    t.true(undisturbed.every(([, status]) => status === 200));

    const resumed = (await signetJson(["identity", "resume", identity])) as Known;
    t.deepEqual(resumed.unaware, []);
    await eventually("it is answered again", answers);
  },
  meshed,
);

/** There on a cluster of ours. */
const program = findProgram("go-spiffe");

clusterTest(
  "a workload written against go-spiffe gets its identity in a pod, and does mutual TLS with it",
  async (t, { name }) => {
    if (program === null) {
      t.pass("only where its program can be brought to the node");
      return;
    }
    const { metadata } = idlePod("workload") as { metadata: object };
    const annotations = { "signet.dev/workload-api": "enabled" };
    const workload = idlePod("workload", {
      volumes: [{ name: "programs", hostPath: { path: path.dirname(program), type: "Directory" } }],
      containers: [
        idleContainer("workload", {
          securityContext: { runAsUser: 1000, runAsNonRoot: true },
          volumeMounts: [{ name: "programs", mountPath: "/programs", readOnly: true }],
        }),
      ],
    });
    await applyObjects([{ ...workload, metadata: { ...metadata, annotations } }], name);
    await readyPod(name, "workload");
    const ask = async (...words: string[]): Promise<Record<string, unknown>> => {
      const place = { namespace: name, pod: "workload", container: "workload" };
      const { exitCode, stdout, stderr } = await execute(place, ["/programs/go-spiffe", ...words]);
      t.is(exitCode, 0, stderr);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const id = `spiffe://cluster.local/ns/${name}/sa/default`;
    t.like(await ask("watch", "1"), { id, chain: 3, roots: 1 });
    t.like(await ask("mtls", "0"), { heard: "hello", tls: "TLS 1.3" });
    t.like(await ask("jwt", "app-b"), { id, audience: ["app-b"] });
  },
  meshed,
);
