// app-b fails three requests in ten, and its caller notices nothing; with the route's retries taken
// away it notices three in ten.
import { sleep } from "#/lib/clock.ts";
import type { Sample } from "../live/scrape.ts";
import { binomialInterval, falseAlarm, percent } from "./arithmetic.ts";
import { EFFECTIVE_MS_MAX, hold, pod } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { greeterUrl, load, outcomes, setFailRate } from "./client.ts";
import { meshedClient } from "./manifests.ts";
import { greeterRoute, repeatsOf, withoutRetry } from "./route.ts";
import { scrape, sumOf } from "./sidecar-metrics.ts";

const REQUESTS = 300;
const FAIL_PERCENT = 30;
/** At 10 requests/s the repeats stay within the retry budget; the route's file has the arithmetic. */
const RATE_WITH_RETRIES = 10;
const RATE_WITHOUT_RETRIES = 75;

export const retries: Claim = {
  title: `app-b fails ${FAIL_PERCENT} % of requests, and app-a sees none of it`,
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const caller = await pod(context, meshedClient);
  const greeters = (await context.mesh.pods()).filter(({ namespace }) => namespace === "app-b");
  const route = await greeterRoute(context);
  const setAll = async (percent: number): Promise<void> => {
    for (const greeter of greeters) await setFailRate(context, greeter, percent);
  };
  try {
    await setAll(FAIL_PERCENT);
    const before = await scrape(context, caller);
    const shielded = await load(
      context,
      caller,
      greeterUrl,
      `--count ${REQUESTS} --rate ${RATE_WITH_RETRIES}`,
    );
    const after = await scrape(context, caller);
    hold(shielded.failed === 0, `of ${REQUESTS} requests with retries: ${outcomes(shielded)}`);
    const evidence = [withRetries(before, after, repeatsOf(route))];

    await context.mesh.apply([withoutRetry(route)]);
    await sleep(context.clock, EFFECTIVE_MS_MAX, context.signal);
    const bare = await load(
      context,
      caller,
      greeterUrl,
      `--count ${REQUESTS} --rate ${RATE_WITHOUT_RETRIES}`,
    );
    const { low, high, mean, deviation } = binomialInterval(REQUESTS, FAIL_PERCENT / 100);
    const arithmetic = `expected ${mean} ± 3.29 × √(300 × 0.3 × 0.7) = 3.29 × ${deviation.toFixed(2)}: ${low} to ${high}`;
    const seen = `without retries ${bare.failed} of ${bare.requests} failed (${arithmetic})`;
    hold(bare.failed >= low && bare.failed <= high, seen);
    return [...evidence, seen];
  } finally {
    await setAll(0);
    await context.mesh.apply([route]);
  }
}

function withRetries(before: readonly Sample[], after: readonly Sample[], repeats: number): string {
  const grown = (name: string, labels: Readonly<Record<string, string>> = {}): number =>
    sumOf(after, name, labels) - sumOf(before, name, labels);
  const tries = grown("signet_proxy_tries_total");
  const failedTries = grown("signet_proxy_tries_total", { outcome: "5xx" });
  hold(tries > REQUESTS, `${tries} tries for ${REQUESTS} requests: nothing was repeated`);
  const alarm = falseAlarm(REQUESTS, FAIL_PERCENT / 100, repeats).toExponential(1);
  return (
    `${REQUESTS} of ${REQUESTS} requests answered 200; ${failedTries} of ${tries} tries failed ` +
    `(${percent(failedTries, tries).toFixed(1)} %); ${repeats} repeats, so a false alarm in ` +
    `300 × 0.3^${repeats + 1} = ${alarm} of runs`
  );
}
