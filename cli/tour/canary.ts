// Weights are held while they change: 90/10, then 50/50, by applying the HTTPRoute under load.
import { sleep } from "#/lib/clock.ts";
import { percent } from "./arithmetic.ts";
import { EFFECTIVE_MS_MAX, hold, pod } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { greeterUrl, load, outcomes } from "./client.ts";
import { meshedClient } from "./manifests.ts";
import { greeterRoute, withWeights } from "./route.ts";

const REQUESTS = 1000;
const TOLERANCE_PERCENT = 2;
const splits = [
  { v1: 90, v2: 10 },
  { v1: 50, v2: 50 },
];

export const canary: Claim = {
  title: "A canary gets its share, changed while running: 90/10, then 50/50",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const caller = await pod(context, meshedClient);
  const route = await greeterRoute(context);
  const stopLoad = new AbortController();
  const throughout = load(
    { ...context, signal: AbortSignal.any([context.signal, stopLoad.signal]) },
    caller,
    greeterUrl,
    "--rate 20 --duration 12",
  );
  // Awaited below; a fault on the way there must not go unhandled meanwhile.
  throughout.catch(() => undefined);
  const evidence: string[] = [];
  try {
    for (const { v1, v2 } of splits) {
      await context.mesh.apply([withWeights(route, { "app-b-v1": v1, "app-b-v2": v2 })]);
      await sleep(context.clock, EFFECTIVE_MS_MAX, context.signal);
      const report = await load(context, caller, greeterUrl, `--count ${REQUESTS} --concurrency 8`);
      hold(report.ok === REQUESTS, `of ${REQUESTS} requests: ${outcomes(report)}`);
      const seen = percent(report.versions["1.0"] ?? 0, REQUESTS);
      evidence.push(
        `${v1}/${v2}: ${REQUESTS} requests, ${report.versions["1.0"] ?? 0} to 1.0 and ${report.versions["2.0"] ?? 0} to 2.0 (${seen.toFixed(1)} % and ${(100 - seen).toFixed(1)} %)`,
      );
      hold(Math.abs(seen - v1) <= TOLERANCE_PERCENT, `${evidence.at(-1)}, not within 2 %`);
    }
    const during = await throughout;
    hold(during.failed === 0, `while the weights changed: ${outcomes(during)}`);
    return [...evidence, `${during.requests} requests while the weights changed, none failed`];
  } finally {
    stopLoad.abort();
    await context.mesh.apply([route]);
  }
}
