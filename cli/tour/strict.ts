// Strict mode, switched while everything runs: plaintext is refused before app-b sees a byte, open
// connections are closed, the mesh's own callers notice nothing; and back.
import { sleep } from "#/lib/clock.ts";
import type { Pod } from "../mesh.ts";
import { strictPolicy } from "../policy.ts";
import { EFFECTIVE_MS_MAX, hold, pod, until } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { connect, greeterUrl, load, outcomes } from "./client.ts";
import type { RawReport } from "./client.ts";
import { meshedClient, plainClient } from "./manifests.ts";
import { scrape, sumOf } from "./sidecar-metrics.ts";

const NAMESPACE = "app-b";
const target = "app-b.app-b.svc.cluster.local:80";
const START_MS_MAX = 10_000;
/** From a request to its lines in the log. */
const LOG_MS = 300;

export const strict: Claim = {
  title:
    "Strict mode refuses plaintext within two seconds, also on open connections, and lets go again",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const stranger = await pod(context, plainClient);
  const caller = await pod(context, meshedClient);
  const { clock } = context;
  const mark = `mark=${Math.round(clock.now())}`;
  try {
    await ask(context, stranger, `${mark}-permissive`, true);
    const seenBefore = await marksSeen(context, `${mark}-permissive`);
    hold(seenBefore > 0, "app-b's log does not show a request that was answered");
    const meshed = load(context, caller, greeterUrl, "--rate 20 --duration 15");
    const held = hang(context, stranger, `${mark}-open`);
    const fresh = load(
      context,
      stranger,
      `${greeterUrl}?${mark}-fresh`,
      "--rate 20 --duration 8 --new-connections --timeout-ms 2000",
    );
    for (const each of [meshed, held, fresh]) each.catch(() => undefined);
    // Both must have been answered before: on a busy machine a client takes its time to start.
    for (const name of ["open", "fresh"]) {
      await until(context, `app-b has seen the ${name} connection`, START_MS_MAX, async () => {
        return (await marksSeen(context, `${mark}-${name}`)) > 0 ? true : null;
      });
    }
    const refusedBefore = await refusals(context);
    const enforcedAt = clock.monotonic();
    await context.mesh.apply([strictPolicy(NAMESPACE, "STRICT")]);
    const [open, calls] = await Promise.all([held, fresh]);
    const openMs = closedAfter(open, enforcedAt);
    const freshMs = lastOkAfter(calls, enforcedAt);
    const refusal = await ask(context, stranger, `${mark}-strict`, false);
    const seenAfter = await marksSeen(context, `${mark}-strict`);
    hold(seenAfter === 0, `${seenAfter} requests reached app-b under strict mode`);
    const refused = (await refusals(context)) - refusedBefore;
    hold(refused > 0, "no sidecar counts a refusal");
    await context.mesh.apply([strictPolicy(NAMESPACE, "PERMISSIVE")]);
    const permittedAt = clock.monotonic();
    await until(context, "plaintext taken again", EFFECTIVE_MS_MAX, async () => {
      const { ok } = await load(context, stranger, greeterUrl, "--timeout-ms 500");
      return ok === 1 ? true : null;
    });
    const permitMs = clock.monotonic() - permittedAt;
    const during = await meshed;
    hold(during.failed === 0, `app-a's identity meanwhile: ${outcomes(during)}`);
    return [
      "permissive: a pod without a sidecar is answered 200, and app-b's log shows its request",
      `strict: the same request ends in ${refusal}; the last plaintext got through ${(freshMs / 1000).toFixed(2)} s after the policy was applied`,
      `strict: ${refused} refusals counted by app-b's sidecars, the marked request is not in app-b's log`,
      `a connection opened before and in use: ${open.end} ${(openMs / 1000).toFixed(2)} s after`,
      `${during.requests} requests of app-a's identity meanwhile: all answered 200`,
      `permissive again: answered after ${(permitMs / 1000).toFixed(2)} s`,
    ];
  } finally {
    await context.mesh.apply([strictPolicy(NAMESPACE, "PERMISSIVE")]);
  }
}

/** One request whose mark app-b's log would show. */
async function ask(
  context: TourContext,
  from: Pod,
  mark: string,
  isAllowed: boolean,
): Promise<string> {
  const report = await load(context, from, `${greeterUrl}?${mark}`, "--timeout-ms 3000");
  if (isAllowed) hold(report.ok === 1, `plaintext in permissive mode: ${outcomes(report)}`);
  else {
    hold(report.ok === 0, "plaintext is answered in strict mode");
    hold(Object.keys(report.statuses).length === 0, `not refused: ${outcomes(report)}`);
  }
  return outcomes(report);
}

/** A connection that sends a request five times a second for as long as it is let. */
function hang(context: TourContext, from: Pod, mark: string): Promise<RawReport> {
  const request = String.raw`GET /hello?${mark} HTTP/1.1\r\nhost: app-b\r\n\r\n`;
  return connect(context, from, target, [
    "--send",
    request,
    "--send-every-ms",
    "200",
    "--hold",
    "20",
  ]);
}

/**
 * When it ended, in milliseconds after `since`. The report comes when the client ends, which is after
 * the connection has: never earlier than the truth.
 */
function closedAfter(open: RawReport, since: number): number {
  hold(open.connected && open.receivedBytes > 0, `the open connection never worked: ${open.error}`);
  hold(open.end !== "held", "the connection that was open stayed open");
  const after = open.readAt - since;
  hold(after > 0, "the open connection ended before the policy was applied");
  hold(
    after < EFFECTIVE_MS_MAX,
    `the open connection was closed only after ${Math.round(after)} ms`,
  );
  return after;
}

/** When the last request got through, after `since`; never earlier than the truth. */
function lastOkAfter(
  calls: {
    readonly ok: number;
    readonly failed: number;
    readonly lastOkMs: number | null;
    readonly durationMs: number;
    readonly readAt: number;
  },
  since: number,
): number {
  hold(calls.ok > 0 && calls.lastOkMs !== null, "no plaintext request got through before");
  hold(calls.failed > 0, "every plaintext request got through");
  const after = calls.readAt - (calls.durationMs - calls.lastOkMs) - since;
  hold(after < EFFECTIVE_MS_MAX, `plaintext got through for ${Math.round(after)} ms`);
  return Math.max(0, after);
}

async function greeters(context: TourContext): Promise<readonly Pod[]> {
  return (await context.mesh.pods()).filter(({ namespace }) => namespace === NAMESPACE);
}

async function refusals(context: TourContext): Promise<number> {
  const counts = await Promise.all(
    (await greeters(context)).map(async (each) =>
      sumOf(await scrape(context, each), "signet_proxy_refusals_total", { direction: "inbound" }),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Requests with this mark in app-b's log, a moment after; the log holds some seconds of requests. */
async function marksSeen(context: TourContext, mark: string): Promise<number> {
  await sleep(context.clock, LOG_MS, context.signal);
  const logs = await Promise.all(
    (await greeters(context)).map((each) => context.mesh.logs(each, null)),
  );
  return logs.reduce((sum, log) => sum + log.split(`?${mark} `).length - 1, 0);
}
