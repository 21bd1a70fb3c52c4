import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import { askCluster, clusterText } from "./cluster-version.ts";
import type { CommandContext } from "./commands/context.ts";

function contextOf(kubeconfig: string): CommandContext {
  const { signal } = new AbortController();
  const options = { kubeconfig };
  return { clock: systemClock, signal, options } as unknown as CommandContext;
}

test("askCluster gives up on a cluster that takes the call and never answers", async (t) => {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = mkdtempSync(path.join(tmpdir(), "signet-version-"));
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const file = path.join(folder, "kubeconfig");
  const { port } = server.address() as AddressInfo;
  const cluster = { name: "c", cluster: { server: `https://127.0.0.1:${port}` } };
  const context = { name: "c", context: { cluster: "c", user: "u" } };
  const config = { clusters: [cluster], contexts: [context], users: [{ name: "u", user: {} }] };
  writeFileSync(file, JSON.stringify({ ...config, "current-context": "c" }));
  const beganMs = performance.now();
  const answer = await askCluster(contextOf(file));
  t.true(performance.now() - beganMs < 6_000);
  t.is(answer.kubernetes, null);
  t.regex(answer.reason, /no answer in 3000 ms/);
});

test("askCluster says why there is none to ask", async (t) => {
  const answer = await askCluster(contextOf("/nowhere/kubeconfig"));
  t.regex(clusterText(answer)[0]![1], /^unknown: .*\/nowhere\/kubeconfig/);
});

const answered = { place: "here", kubernetes: "v1.34.4", mesh: [], controllers: [], reason: "" };

test("clusterText tells a cluster without a mesh what to do", (t) => {
  const text = clusterText(answered);
  t.deepEqual(text[0], ["cluster", "Kubernetes v1.34.4, here"]);
  t.regex(text[1]![1], /signet install \| kubectl apply -f -/);
});

test("clusterText tells each version that runs once, and how many of each part are ready", (t) => {
  const mesh = [
    { name: "signet-controller", image: "signet/controller:v1", replicas: 2, ready: 1 },
  ];
  const one = ["signet-controller", "signet/controller:v1, 1 of 2 ready"] as const;
  for (const [controllers, told] of [
    [["0.1.0", "0.1.0"], "0.1.0"],
    [["0.1.0", "0.2.0"], "0.1.0 and 0.2.0"],
    [[], "of unknown version"],
  ] as const) {
    t.deepEqual(clusterText({ ...answered, mesh, controllers }).slice(1), [["mesh", told], one]);
  }
});
