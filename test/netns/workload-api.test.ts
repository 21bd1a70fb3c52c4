// The Workload API of a sidecar as it ships, confined as it is, with a controller that issues for real.
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { ExecutionContext } from "ava";
import { X509BundlesResponseSchema, X509SVIDResponseSchema } from "#/api/gen/spiffe/workload_pb.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
import { netnsTest } from "../kit/netns-test.ts";
import { SidecarLab } from "../kit/sidecar-lab.ts";
import { WorkloadClient, status } from "../kit/workload-client.ts";

const ownId = parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a");

const caller = fileURLToPath(new URL("./workload-caller.ts", import.meta.url));

let started: Promise<SidecarLab> | null = null;
const lab = (): Promise<SidecarLab> =>
  (started ??= SidecarLab.create([80], {
    workloadFolder: true,
    environment: {
      SIGNET_WORKLOAD_SOCKET: "/run/spiffe/workload.sock",
      // Root is the test itself.
      SIGNET_WORKLOAD_USERS: "0,4711",
      SIGNET_SVID_LIFETIME_S: "30",
    },
  }));
test.after.always(async () => {
  const it = await started?.catch(() => null);
  await it?.[Symbol.asyncDispose]();
});

async function client(t: ExecutionContext): Promise<WorkloadClient> {
  const it = new WorkloadClient(path.join((await lab()).workloadFolder, "workload.sock"));
  t.teardown(() => it[Symbol.dispose]());
  return it;
}

netnsTest(
  "a ready sidecar hands out an identity at once, and the next one before its end",
  async (t) => {
    const call = (await client(t)).call("FetchX509SVID");
    const serials = new Set<string>();
    for (const count of [1, 2, 3]) {
      const { svids } = await call.answer(X509SVIDResponseSchema, count);
      const leaf = readLeaf(new X509Certificate(svids[0]!.x509Svid).raw);
      t.is(leaf.id, ownId);
      t.true(leaf.notAfter > Date.now());
      serials.add(leaf.serial);
    }
    t.is(serials.size, 3);
  },
);

netnsTest("a client that is killed takes nothing along but its connection", async (t) => {
  const it = await lab();
  const socketPath = path.join(it.workloadFolder, "workload.sock");
  const held = it.pod.start(process.execPath, [caller, socketPath, "hold"]);
  await once(held.stdout!, "data");
  held.kill("SIGKILL");
  await once(held, "exit");
  // The next certificate finds one stream without a reader.
  const call = (await client(t)).call("FetchX509SVID");
  await call.answer(X509SVIDResponseSchema, 2);
  const { svids } = await (await client(t)).call("FetchX509SVID").answer(X509SVIDResponseSchema);
  t.is(svids[0]?.spiffeId, ownId);
});

netnsTest(
  "the workload's key is not the sidecar's: both stand in the log, each for itself",
  async (t) => {
    const { svids } = await (await client(t)).call("FetchX509SVID").answer(X509SVIDResponseSchema);
    const { serial } = readLeaf(new X509Certificate(svids[0]!.x509Svid).raw);
    const { said } = await lab();
    const lines = said.split("\n").filter((line) => line.includes(serial));
    t.is(lines.length, 1);
    t.regex(lines[0] ?? "", /"msg":"workload certificate issued"/);
    t.regex(said, /"msg":"certificate issued"/);
  },
);

netnsTest("the bundle is the mesh's root", async (t) => {
  const { bundles } = await (
    await client(t)
  )
    .call("FetchX509Bundles")
    .answer(X509BundlesResponseSchema);
  const root = new X509Certificate(bundles["spiffe://cluster.local"]!);
  t.true(root.ca);
  t.true(root.verify(root.publicKey));
});

netnsTest(
  "a process of another user than the pod's spec names is refused, by the kernel's word",
  async (t) => {
    const it = await lab();
    const ask = async (uid: number): Promise<string> => {
      const user = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
      // It may read the checkout, wherever that is.
      const reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
      const node = [process.execPath, "--disable-warning=ExperimentalWarning", caller];
      const words = [...user, ...reading, ...node, path.join(it.workloadFolder, "workload.sock")];
      return (await it.pod.succeed("setpriv", words)).trim();
    };
    t.is(await ask(4711), "answered");
    t.regex(
      await ask(4712),
      new RegExp(`^${status.permissionDenied} Cannot serve: the pod's containers`),
    );
    t.regex(await ask(1337), new RegExp(`^${status.permissionDenied} Cannot serve: user 1337`));
    t.regex(await it.metrics(), /workload_connections_refused_total\{reason="user_not_named"\} 1/);
  },
);
