// The mesh's root is replaced under load: a new key, no request fails, no container starts anew, and in the
// end nobody trusts the former one.
import { randomBytes } from "node:crypto";
import { sleep } from "#/lib/clock.ts";
import type { Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { readAuthorityState, rotationRequest } from "../rotation.ts";
import type { AuthorityState } from "../rotation.ts";
import { short, waitingText } from "../rotation-text.ts";
import { counted, formatElapsed } from "../text.ts";
import { hold, pod } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { greeterUrl, load, outcomes } from "./client.ts";
import type { LoadReport } from "./client.ts";
import { meshedClient, rotationObjects } from "./manifests.ts";
import { scrape, sumOf } from "./sidecar-metrics.ts";

const RATE = 100;
const LOAD_S = 5;
const POLL_MS = 250;
/** On a cluster a controller that was killed keeps its lease for 15 s, and starts more slowly. */
const END_MS_MAX = 240_000;

export const rootRotation: Claim = {
  title: "The root is replaced under load, its controller killed on the way: no request fails",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const { mesh, clock } = context;
  await mesh.remove(rotationObjects(context.images));
  const caller = await pod(context, meshedClient);
  const meshed = (await mesh.pods()).filter(
    (each) => each.isMeshed && each.namespace !== "rotation",
  );
  const countsBefore = await counts(context, meshed);
  const before = await stateOf(context);
  hold(before.rotation === null, "a rotation is under way already");
  const id = `tour-${randomBytes(6).toString("hex")}`;
  const done = new AbortController();
  const loading = loadUntil(context, caller, done.signal);
  loading.catch(() => undefined);
  const begunAt = clock.monotonic();
  await mesh.apply([rotationRequest("rotate", "root", id, clock.now())]);
  let steps: readonly string[];
  try {
    steps = await follow(context, id);
    // What opens connections from now on does so under the new root alone.
    await sleep(clock, 1_000, context.signal);
  } finally {
    done.abort();
  }
  const tookMs = clock.monotonic() - begunAt;
  const reports = await loading;
  for (const report of reports) hold(report.failed === 0, `meanwhile: ${outcomes(report)}`);
  const after = await stateOf(context);
  const [former, present] = [before.roots[0]!.fingerprint, after.roots[0]!.fingerprint];
  hold(after.roots.length === 1 && former !== present, "the former root is still trusted");
  hold(before.intermediate.fingerprint !== after.intermediate.fingerprint, "same intermediate");
  holdNoneStartedAnew(countsBefore, await counts(context, meshed));
  const requests = reports.reduce((sum, each) => sum + each.requests, 0);
  return [
    `root ${short(former)} -> ${short(present)} with a new key in ${formatElapsed(tookMs)}: ${steps.join(", ")}; killed in the second`,
    `${requests} requests at ${RATE}/s from before to after: all answered 200`,
    `${counted(meshed.length, "sidecar")} followed by themselves, each with a new certificate and the same process`,
  ];
}

/** Load after load, so that it lasts for as long as the rotation does. */
async function loadUntil(
  context: TourContext,
  caller: Pod,
  done: AbortSignal,
): Promise<readonly LoadReport[]> {
  const reports: LoadReport[] = [];
  while (!done.aborted) {
    reports.push(await load(context, caller, greeterUrl, `--rate ${RATE} --duration ${LOAD_S}`));
  }
  return reports;
}

/** Each step with the time it took. In the middle of it the controller is killed, and goes on. */
async function follow(context: TourContext, id: string): Promise<readonly string[]> {
  const { mesh, clock, signal } = context;
  const endsAt = clock.monotonic() + END_MS_MAX;
  const steps: string[] = [];
  let step = "";
  let isKilled = false;
  let since = clock.monotonic();
  for (;;) {
    const state = await stateOf(context).catch((thrown: unknown) => {
      // It was killed a moment ago.
      if (isKilled && clock.monotonic() < endsAt) return null;
      throw thrown;
    });
    if (state === null) {
      await sleep(clock, POLL_MS, signal);
      continue;
    }
    hold(state.refusal === null, `it is refused: ${state.refusal?.message}`);
    const present = state.rotation?.id === id ? state.rotation.step : "";
    if (present !== step) {
      if (step !== "") steps.push(`${step} for ${formatElapsed(clock.monotonic() - since)}`);
      [step, since] = [present, clock.monotonic()];
    }
    if (step === "switched" && !isKilled) {
      isKilled = true;
      await mesh.stopController();
      await mesh.startController();
    }
    if (state.last?.id === id && state.rotation === null) {
      hold(state.last.end === "rotated", `it was ${state.last.end}`);
      hold(isKilled, "it was over before its controller could be killed");
      return steps;
    }
    const who = state.rotation?.waiting.map(waitingText).join("; ") ?? "";
    hold(clock.monotonic() < endsAt, `it does not come to its end; ${who}`);
    await sleep(clock, POLL_MS, signal);
  }
}

async function stateOf({ mesh }: TourContext): Promise<AuthorityState> {
  return readAuthorityState(await mesh.inspect("/v1/authority"));
}

/** Certificates and connections of each sidecar so far: a process that started anew counts from nothing. */
async function counts(context: TourContext, pods: readonly Pod[]): Promise<readonly Counts[]> {
  return Promise.all(
    pods.map(async (each) => {
      const samples = await scrape(context, each);
      return {
        pod: podName(each),
        certificates: sumOf(samples, "signet_proxy_certificates_issued_total"),
        connections: sumOf(samples, "signet_proxy_connections_total"),
      };
    }),
  );
}

interface Counts {
  readonly pod: string;
  readonly certificates: number;
  readonly connections: number;
}

function holdNoneStartedAnew(before: readonly Counts[], after: readonly Counts[]): void {
  for (const [index, then] of before.entries()) {
    const now = after[index]!;
    hold(now.certificates > then.certificates, `${then.pod} has no new certificate`);
    hold(now.connections >= then.connections, `${then.pod}'s sidecar started anew`);
  }
}
