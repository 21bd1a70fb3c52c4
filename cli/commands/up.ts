// `signet local up`: brings the mesh up with a list of steps, then shows it live, or walks the tour, or
// leaves it running. However it ends, what it began is cleaned up, unless it is to stay.
import path from "node:path";
import { launchLocal } from "#/local/launch.ts";
import type { Ending, LocalMesh } from "#/local/launch.ts";
import { clusterDomain, controlSocket, nodeNamespace } from "#/local/names.ts";
import type { Progress } from "#/local/protocol.ts";
import { MeshAccessError } from "../mesh.ts";
import { noteProgress, progressLine, renderProgress } from "../live/progress.ts";
import type { Step } from "../live/progress.ts";
import { drawInPlace } from "../live/screen.ts";
import { watchMesh } from "../live/watch.ts";
import { localWire } from "../tour/local-wire.ts";
import { walkTour } from "../tour/tour.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import type { Action, CommandContext } from "./context.ts";
import { localMeshOf, option } from "./context.ts";

const DRAW_MS = 100;
/** Bringing up and cleaning up included; what is not done by then is not confirmed. */
const TOUR_MS_MAX = 175_000;
const MANIFESTS = "k8s/demo";
const AUTHORITY = "certs-dev/out";

export const localUp: Action = localUpBy(launchLocal);

/** `launch` brings the mesh up: tests give their own. */
export function localUpBy(launch: typeof launchLocal): Action {
  return async (context) => {
    const { clock, options } = context;
    const startedAt = clock.now();
    const begunAt = clock.monotonic();
    const running = await bringUp(context, launch);
    if (options["detach"] === true) {
      showDetached(context, running.pid);
      return EXIT_OK;
    }
    const over = new AbortController();
    let ending: Ending | null = null;
    void running.ended.then((how) => {
      ending = how;
      over.abort(endedMeanwhile(context, how));
    });
    try {
      const walk = (signal: AbortSignal): Promise<number> =>
        options["check"] === true
          ? walkClaims(context, signal, begunAt)
          : watchLive(context, signal, startedAt);
      return await walk(AbortSignal.any([context.signal, over.signal]));
    } finally {
      if (ending !== "asked") await takeDown(context, running);
    }
  };
}

async function walkClaims(
  context: CommandContext,
  signal: AbortSignal,
  begunAt: number,
): Promise<number> {
  const { print, clock, names } = context;
  const isConfirmed = await walkTour({
    mesh: localMeshOf(context),
    print,
    clock,
    signal,
    wire: localWire(nodeNamespace(names), clock),
    begunAt,
    timeMsMax: TOUR_MS_MAX,
    cleansUp: false,
  });
  return isConfirmed ? EXIT_OK : EXIT_FAILED;
}

async function watchLive(
  context: CommandContext,
  signal: AbortSignal,
  startedAt: number,
): Promise<number> {
  const { print, clock } = context;
  await watchMesh({ mesh: localMeshOf(context), print, clock, signal, startedAt });
  if (context.signal.aborted) return EXIT_OK;
  const reason: unknown = signal.reason;
  if (!(reason instanceof MeshStopped)) throw reason;
  print.note(`signet: ${reason.message}; everything is removed`);
  return EXIT_OK;
}

/** What a live view ends with, and what a tour cannot go on after. */
class MeshStopped extends MeshAccessError {}

function endedMeanwhile({ names }: CommandContext, ending: Ending): MeshAccessError {
  if (ending === "asked") {
    return new MeshStopped("not_running", 'the mesh was stopped by "signet local down"');
  }
  return new MeshAccessError("not_running", "Cannot go on: the mesh has ended by itself", {
    next: `See ${names.stateDirectory}/runtime.log`,
  });
}

async function bringUp(context: CommandContext, launch: typeof launchLocal): Promise<LocalMesh> {
  const { names, repository, signal, print } = context;
  using progress = showProgress(context);
  const stopping = (): void => {
    progress.end();
    print.note("signet: stopping and cleaning up");
  };
  signal.addEventListener("abort", stopping, { once: true });
  const given = option(context, "trust-domain");
  const trustDomain = given === clusterDomain ? null : given;
  const manifests = option(context, "manifests");
  try {
    return await launch({
      names,
      repository,
      // A root speaks for one trust domain: another one has its own.
      authorityDirectory: path.join(repository, AUTHORITY, trustDomain ?? ""),
      manifests: [path.join(repository, MANIFESTS), ...(manifests === null ? [] : [manifests])],
      ...(trustDomain === null ? {} : { trustDomain }),
      onProgress: (event) => progress.note(event),
      signal,
    });
  } catch (thrown) {
    if (signal.aborted && thrown === signal.reason) print.note(REMOVED);
    throw thrown;
  } finally {
    signal.removeEventListener("abort", stopping);
  }
}

interface ProgressView extends Disposable {
  note(event: Progress): void;
  /** Draws for the last time; what comes after it is not shown. */
  end(): void;
}

function showProgress({ print, clock }: CommandContext): ProgressView {
  let steps: readonly Step[] = [];
  let isOver = false;
  // Standard output is the result's alone where a program reads it.
  const screen = print.isTty && print.format === "table" ? drawInPlace(print) : null;
  const draw = (): void =>
    screen?.draw(renderProgress(steps, clock.now(), print.width(), print.style, isOver));
  const timer = screen === null ? null : setInterval(draw, DRAW_MS);
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    if (timer !== null) clearInterval(timer);
    draw();
    screen?.[Symbol.dispose]();
  };
  return {
    note(event) {
      if (isOver) return;
      steps = noteProgress(steps, event);
      if (screen !== null) return draw();
      const line = progressLine(steps, event, print.style);
      if (line !== null) print.note(line);
    },
    end,
    [Symbol.dispose]: end,
  };
}

const REMOVED = "signet: stopped, everything removed";

async function takeDown({ print }: CommandContext, running: LocalMesh): Promise<void> {
  print.note("signet: stopping the mesh and cleaning up");
  await running.stop();
  print.note(REMOVED);
}

function showDetached({ print, names }: CommandContext, pid: number): void {
  if (print.format === "json") {
    print.json({ pid, stateDirectory: names.stateDirectory, controlSocket: controlSocket(names) });
    return;
  }
  print.lines([
    `the mesh runs (process ${pid})`,
    "  look at it:  signet local status",
    "  identities:  signet certs list",
    "  app-a:       signet local logs app-a -f",
    "  stop it:     signet local down",
  ]);
}
