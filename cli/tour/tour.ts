// The tour as a whole: its order, its time, its words. What may overlap does; what would disturb
// another claim does not.
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Mesh } from "../mesh.ts";
import type { Printer } from "../print.ts";
import { counted, formatElapsed } from "../text.ts";
import { canary } from "./canary.ts";
import { certificates } from "./certificates.ts";
import { FalseClaim, readyPods } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { controllerOutage } from "./controller-outage.ts";
import { issuanceLog } from "./issuance-log.ts";
import {
  imagesLike,
  meshedClient,
  plainClient,
  plainServer,
  prober,
  rotationObjects,
  tourObjects,
} from "./manifests.ts";
import { heldStreams } from "./held-streams.ts";
import { noResumption } from "./no-resumption.ts";
import { plaintextOnTheWire } from "./plaintext-on-the-wire.ts";
import { retries } from "./retries.ts";
import { rootRotation } from "./root-rotation.ts";
import { rotation } from "./rotation.ts";
import { runHere } from "./run-here.ts";
import { runTour } from "./run.ts";
import type { Stage, TourReport } from "./run.ts";
import { strict } from "./strict.ts";
import type { Wire } from "./wire.ts";

const READY_MS = 60_000;

/**
 * The rotation's minute of load runs beside everything that needs only moments, in a namespace of its
 * own. What touches everybody comes last and alone; the outage would end short-lived identities.
 */
const stages: readonly Stage[] = [
  {
    beside: [rotation, heldStreams],
    inOrder: [plaintextOnTheWire, canary, retries, strict, noResumption, certificates, issuanceLog],
  },
  { beside: [], inOrder: [rootRotation, controllerOutage] },
];

export interface TourOptions {
  readonly mesh: Mesh;
  readonly print: Printer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly wire: Wire;
  /** Monotonic time at which bringing the mesh up began. */
  readonly begunAt: number;
  /** From then on; what is not done by then is not confirmed. */
  readonly timeMsMax: number;
  /** Takes away what the tour adds: the mesh stays. */
  readonly cleansUp: boolean;
}

/** True when every claim was confirmed in time. */
export async function walkTour(options: TourOptions): Promise<boolean> {
  const { mesh, print, clock, begunAt, timeMsMax, wire } = options;
  const tooLong = new AbortController();
  const cancel = clock.after(timeMsMax - (clock.monotonic() - begunAt), () =>
    tooLong.abort(tookTooLong(timeMsMax)),
  );
  const signal = AbortSignal.any([options.signal, tooLong.signal]);
  const images = imagesLike(await clientImage(mesh));
  const added = tourObjects(images);
  const context: TourContext = { mesh, clock, signal, runHere, wire, images };
  const claims = stages.flatMap(({ beside, inOrder }) => [...beside, ...inOrder]);
  try {
    print.lines([
      "",
      `Walking through ${counted(claims.length, "claim")}; each prints its evidence.`,
    ]);
    await mesh.apply(added);
    await readyPods(context, [meshedClient, plainClient, plainServer, prober], READY_MS);
    const isConfirmed = await runTour(context, stages, reportTo(print, clock, begunAt));
    const total = formatElapsed(clock.monotonic() - begunAt);
    if (isConfirmed) {
      print.lines([
        "",
        print.style.paint.green(`All ${claims.length} claims confirmed in ${total}.`),
      ]);
    }
    return isConfirmed;
  } finally {
    cancel();
    if (options.cleansUp) await mesh.remove([...added, ...rotationObjects(images)]);
  }
}

/** Of the demo's own client; null when nobody can tell. */
async function clientImage(mesh: Mesh): Promise<string | null> {
  const deployments = await mesh.objects("Deployment").catch(() => []);
  const found = deployments.find(
    ({ metadata }) => `${metadata.namespace}/${metadata.name}` === plainClient,
  );
  const spec = found?.["spec"] as DeploymentSpec | undefined;
  return spec?.template.spec.containers[0]?.image ?? null;
}

interface DeploymentSpec {
  readonly template: {
    readonly spec: { readonly containers: readonly { readonly image?: string }[] };
  };
}

function reportTo(print: Printer, clock: Clock, begunAt: number): TourReport {
  const { paint, glyphs } = print.style;
  const at = (): string => paint.dim(`[${formatElapsed(clock.monotonic() - begunAt)}]`);
  const say = (mark: string, claim: Claim, elapsedMs: number, lines: readonly string[]): void =>
    print.lines([
      "",
      `${mark} ${paint.bold(claim.title)} ${paint.dim(`(${formatElapsed(elapsedMs)})`)}`,
      ...lines.map((line) => `    ${line}`),
    ]);
  return {
    begun(claim, isBeside) {
      const how = isBeside ? "meanwhile, in the background" : "checking";
      print.note(`${at()} ${paint.dim(`${how}: ${claim.title}`)}`);
    },
    confirmed: (claim, evidence, elapsedMs) =>
      say(paint.green(glyphs.passed), claim, elapsedMs, evidence),
    refuted(claim, thrown, elapsedMs) {
      const next = thrown instanceof MeshError ? thrown.next : "";
      const lines = [paint.red(messageOf(thrown)), ...(next === "" ? [] : [`next: ${next}`])];
      say(paint.red(glyphs.failed), claim, elapsedMs, lines);
    },
  };
}

function tookTooLong(timeMsMax: number): FalseClaim {
  return new FalseClaim(
    "claim_false",
    `Cannot confirm in time: the tour takes more than ${timeMsMax / 1000} s here`,
    { next: "Try again while the machine has less else to do" },
  );
}
