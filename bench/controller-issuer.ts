// Issuing as a sidecar sees it: the real controller on a core of its own, called over the network from
// the pod's own address. Counted is what the controller spends, handshake or not by `connection`.
import { mkdirSync } from "node:fs";
import { controllerAddress, startControlPlane } from "./control-plane.ts";
import type { IssuePlan } from "./issue-load.ts";
import type { Issuer, IssuerContext } from "./issuer.ts";
import { proxyCore } from "./layout.ts";
import { awaitIssuer, issueOverNetwork } from "./load-issuer.ts";
import { makeNetwork } from "./netns.ts";
import { clientPod } from "./world.ts";

/** open: all calls share a few connections. fresh: each makes its own, as sidecars do. */
export async function callController(
  { projectFolder, folder, profileFolder, now }: IssuerContext,
  connection: IssuePlan["connection"],
): Promise<Issuer> {
  await using stack = new AsyncDisposableStack();
  const network = stack.use(makeNetwork(`ca-${connection}`));
  const own = `${folder}/ca-${connection}`;
  mkdirSync(own, { recursive: true });
  const plane = await startControlPlane({
    projectFolder,
    folder: `${own}/control-plane`,
    namespace: network.controller,
    core: proxyCore,
    profileFolder,
    now,
    stack,
  });
  const plan: Omit<IssuePlan, "calls"> = {
    address: controllerAddress,
    root: Buffer.from(plane.root).toString("base64"),
    token: await plane.tokenFor(clientPod),
    connection,
  };
  const load = {
    namespace: network.client,
    script: `${projectFolder}/bench/issue-load.ts`,
    plan,
    planFile: `${own}/plan.json`,
    answering: plane.controller,
  };
  await awaitIssuer(load);
  const owned = stack.move();
  return {
    subject: "signet",
    issue: (calls) => issueOverNetwork(load, calls),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
