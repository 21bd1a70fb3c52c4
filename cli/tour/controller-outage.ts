// The controller is killed under load and stays away for twenty seconds: nobody notices; and when it
// is back, every sidecar is with it again by itself.
import { sleep } from "#/lib/clock.ts";
import type { Pod } from "../mesh.ts";
import { hold, pod, until } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { greeterUrl, load, outcomes } from "./client.ts";
import { meshedClient, rotationObjects } from "./manifests.ts";
import { scrape, sumOf } from "./sidecar-metrics.ts";

const AWAY_MS = 20_000;
const RATE = 100;
const LEAD_MS = 1000;
const BACK_MS_MAX = 30_000;
/** From before the kill until well after the restart. */
const LOAD_S = 26;

export const controllerOutage: Claim = {
  title:
    "The controller is killed for 20 s under load: no request fails, and the sidecars come back",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const { mesh, clock, signal } = context;
  // Their certificates live 30 s: they are not made for an outage of 20, and say so by failing.
  await mesh.remove(rotationObjects(context.images));
  const caller = await pod(context, meshedClient);
  const meshed = (await mesh.pods()).filter(
    (each) => each.isMeshed && each.namespace !== "rotation",
  );
  const loading = load(context, caller, greeterUrl, `--rate ${RATE} --duration ${LOAD_S}`);
  loading.catch(() => undefined);
  await sleep(clock, LEAD_MS, signal);
  const killedAt = clock.monotonic();
  await mesh.stopController();
  try {
    await sleep(clock, AWAY_MS / 2, signal);
    const still = await connected(context, meshed);
    hold(still === 0, `${still} sidecars are connected to a controller that was killed`);
    await sleep(clock, AWAY_MS - (clock.monotonic() - killedAt), signal);
  } finally {
    await mesh.startController();
  }
  const awayS = (clock.monotonic() - killedAt) / 1000;
  const restartedAt = clock.monotonic();
  await until(context, "every sidecar connected again", BACK_MS_MAX, async () =>
    (await connected(context, meshed)) === meshed.length ? true : null,
  );
  const backMs = clock.monotonic() - restartedAt;
  const report = await loading;
  hold(report.failed === 0, `during the outage: ${outcomes(report)}`);
  return [
    `controller killed for ${awayS.toFixed(1)} s; half-way, 0 of ${meshed.length} sidecars had a stream to it`,
    `${report.requests} requests at ${Math.round(report.requestsPerS)}/s from before to after: all answered 200`,
    `restarted: all ${meshed.length} sidecars connected again after ${(backMs / 1000).toFixed(1)} s`,
  ];
}

async function connected(context: TourContext, pods: readonly Pod[]): Promise<number> {
  const counts = await Promise.all(
    pods.map(async (each) =>
      sumOf(await scrape(context, each), "signet_proxy_controller_connected"),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
