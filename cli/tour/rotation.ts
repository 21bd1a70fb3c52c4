// Certificates that live thirty seconds, under 500 requests a second for a minute: they are renewed,
// nothing fails, and no connection outlives the certificates that opened it.
import { sleep } from "#/lib/clock.ts";
import type { Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { establishedTo, lifetimes } from "./arithmetic.ts";
import type { ConnectionLook, SeenConnection } from "./arithmetic.ts";
import { hold, readyPods } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { load, outcomes } from "./client.ts";
import {
  rotationClient,
  rotationLifetimeS,
  rotationObjects,
  rotationServer,
  rotationUrl,
} from "./manifests.ts";
import { scrape, sumOf } from "./sidecar-metrics.ts";

const LOAD_S = 60;
const RATE = 500;
/** Started on time whatever the answers do; less than this share means that the client fell behind. */
const REQUESTS_MIN = 0.95 * LOAD_S * RATE;
const ROTATIONS_MIN = 2;
const LOOK_MS = 1000;
/**
 * All containers of a pod share the table; images have no shell, and no cat. The time comes first, from where
 * the table is read: how long it takes until it is here says nothing about the connections.
 */
const PRINT_TABLE = `process.stdout.write(Date.now() + "\\n");
for (const name of ["tcp", "tcp6"]) {
  process.stdout.write(require("fs").readFileSync("/proc/net/" + name, "utf8"));
}`;
const READY_MS = 30_000;

export const rotation: Claim = {
  title: `Certificates of ${rotationLifetimeS} s rotate under ${RATE} requests/s, and no connection outlives them`,
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  await context.mesh.apply(rotationObjects(context.images));
  const [client, server] = await readyPods(context, [rotationClient, rotationServer], READY_MS);
  const pods = [client!, server!];
  await warmUp(context, client!);
  const before = await Promise.all(pods.map((each) => issued(context, each)));
  const watch = new AbortController();
  const looking = watchConnections(context, client!, server!, watch.signal);
  looking.catch(() => undefined);
  const report = await load(
    context,
    client!,
    rotationUrl,
    `--rate ${RATE} --duration ${LOAD_S} --concurrency 64`,
  ).finally(() => watch.abort());
  const looks = await looking;
  const after = await Promise.all(pods.map((each) => issued(context, each)));
  hold(report.failed === 0, `under load: ${outcomes(report)}`);
  hold(
    report.requests >= REQUESTS_MIN,
    `only ${report.requests} requests in ${LOAD_S} s: this machine did not keep the rate up`,
  );
  const renewed = pods.map((each, index) => {
    const count = after[index]! - before[index]!;
    hold(count >= ROTATIONS_MIN, `${podName(each)} renewed its certificate ${count} times`);
    return `${podName(each)} ${count} times`;
  });
  return [
    `${report.requests} requests in ${Math.round(report.durationMs / 1000)} s (${Math.round(report.requestsPerS)}/s), all answered 200, p99 ${report.latencyMs?.p99.toFixed(1) ?? "-"} ms`,
    `renewed during it, each with a new key: ${renewed.join(", ")}`,
    connectionsEvidence(looks),
  ];
}

/** The first request waits for discovery; it is not what this claim is about. */
async function warmUp(context: TourContext, client: Pod): Promise<void> {
  const report = await load(context, client, rotationUrl, "--count 20 --rate 20");
  hold(report.ok > 0, `before the load: ${outcomes(report)}`);
}

async function issued(context: TourContext, pod: Pod): Promise<number> {
  return sumOf(await scrape(context, pod), "signet_proxy_certificates_issued_total");
}

/** Looks into the kernel's own table, not into what the sidecars say of themselves. */
async function watchConnections(
  context: TourContext,
  client: Pod,
  server: Pod,
  signal: AbortSignal,
): Promise<readonly ConnectionLook[]> {
  const looks: ConnectionLook[] = [];
  const either = AbortSignal.any([signal, context.signal]);
  while (!either.aborted) {
    const { stdout } = await context.mesh.execute(client, ["node", "-e", PRINT_TABLE]);
    const keys = establishedTo(stdout, server.address);
    looks.push({ atMs: Number.parseInt(stdout, 10), keys });
    await sleep(context.clock, LOOK_MS, either);
  }
  return looks;
}

function connectionsEvidence(looks: readonly ConnectionLook[]): string {
  const seen = lifetimes(looks);
  hold(seen.length > 0, "the kernel's table never showed a connection between the sidecars");
  const longest = seen[0]!;
  const longestS = (longest.lastSeenMs - longest.firstSeenMs) / 1000;
  hold(
    longestS <= rotationLifetimeS,
    `a connection lived at least ${longestS.toFixed(1)} s, longer than its certificates: ${storyOf(longest, looks)}`,
  );
  const whole = seen.length > 1 ? `${seen.length} connections` : "one connection";
  hold(seen.length > 1, "one connection lasted all the time");
  return `${whole} between the sidecars in the kernel's table (${looks.length} looks), the longest lived ${longestS.toFixed(0)} s`;
}

/** What whoever looks for the cause begins with. */
function storyOf(
  { key, firstSeenMs, lastSeenMs }: SeenConnection,
  looks: readonly ConnectionLook[],
): string {
  const startMs = looks[0]!.atMs;
  const seen = looks.filter(({ atMs }) => atMs >= firstSeenMs && atMs <= lastSeenMs);
  const gapMs = Math.max(...seen.slice(1).map(({ atMs }, index) => atMs - seen[index]!.atMs));
  const span = [firstSeenMs, lastSeenMs]
    .map((ms) => ((ms - startMs) / 1000).toFixed(1))
    .join(" to ");
  return `ports ${key}, seen from ${span} s in ${seen.length} looks, at most ${(gapMs / 1000).toFixed(1)} s apart`;
}
