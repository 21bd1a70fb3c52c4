// Issuing as a sidecar sees it: the real controller on a core of its own, called over the network from
// the pod's own address. Counted is what the controller spends, handshake or not by `connection`.
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MeshError } from "#/lib/errors.ts";
import { controllerAddress, startControlPlane } from "./control-plane.ts";
import { inFlight } from "./issue-load.ts";
import type { IssuePlan } from "./issue-load.ts";
import type { Issuer, IssuerContext } from "./issuer.ts";
import { loadCore, plainUid, proxyCore } from "./layout.ts";
import { measuringLine } from "./load.ts";
import { makeNetwork } from "./netns.ts";
import { cpuMicroseconds, descendants, runPlaced } from "./process.ts";
import type { Saturated } from "./saturate.ts";
import { clientPod } from "./world.ts";

class ControllerError extends MeshError<"controller_silent"> {}

const startDeadlineMs = 20_000;
const probePauseMs = 250;

/** open: all calls share one connection. fresh: each makes its own, as sidecars do. */
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
  const planFile = `${own}/plan.json`;
  const plan: Omit<IssuePlan, "calls"> = {
    address: controllerAddress,
    root: Buffer.from(plane.root).toString("base64"),
    token: await plane.tokenFor(clientPod),
    connection,
  };
  const pids = (): number[] => descendants(plane.controller.pid);
  const issue = async (calls: number): Promise<Saturated> => {
    writeFileSync(planFile, JSON.stringify({ ...plan, calls }), { mode: 0o400 });
    chownSync(planFile, plainUid, plainUid);
    let before = 0;
    let startedMs = 0;
    await runPlaced(
      { namespace: network.client, core: loadCore, uid: plainUid },
      process.execPath,
      [`${projectFolder}/bench/issue-load.ts`, planFile],
      (line) => {
        if (line !== measuringLine) return;
        before = cpuMicroseconds(pids());
        startedMs = performance.now();
      },
    );
    const spent = cpuMicroseconds(pids()) - before;
    return { cpuUs: spent / calls, perSecond: (calls * 1000) / (performance.now() - startedMs) };
  };
  await awaitController(
    issue,
    () => plane.controller.hasEnded(),
    () => plane.controller.lastWords(),
  );
  const owned = stack.move();
  return { subject: "signet", issue, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function awaitController(
  issue: (calls: number) => Promise<unknown>,
  hasEnded: () => boolean,
  lastWords: () => string,
): Promise<void> {
  const deadline = performance.now() + startDeadlineMs;
  for (;;) {
    try {
      await issue(inFlight);
      return;
    } catch (error) {
      if (hasEnded() || performance.now() > deadline) {
        const state = `${String(error)}; it said: ${lastWords()}`;
        throw new ControllerError("controller_silent", `Cannot measure issuing: ${state}`);
      }
    }
    await delay(probePauseMs);
  }
}
