// `signet local up`: brings the mesh up with a list of steps, then shows it live, or walks the tour, or
// leaves it running. However it ends, what it began is cleaned up, unless it is to stay.
import path from "node:path";
import { launchLocal } from "#/local/launch.ts";
import type { LocalMesh } from "#/local/launch.ts";
import { nodeNamespace } from "#/local/names.ts";
import type { Progress } from "#/local/protocol.ts";
import { MeshAccessError } from "../mesh.ts";
import { noteProgress, progressLine, renderProgress } from "../live/progress.ts";
import type { Step } from "../live/progress.ts";
import { drawInPlace } from "../live/screen.ts";
import { watchMesh } from "../live/watch.ts";
import { walkTour } from "../tour/tour.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_FAILED, EXIT_OK, meshOf } from "./context.ts";

const DRAW_MS = 100;
const MANIFESTS = "k8s/demo";
const AUTHORITY = "certs-dev/out";

export async function localUp(context: CommandContext): Promise<number> {
  const { print, clock, signal, options } = context;
  const startedAt = clock.now();
  const begunAt = clock.monotonic();
  const running = await bringUp(context);
  if (options["detach"] === true) {
    print.lines(detachedText(running.pid));
    return EXIT_OK;
  }
  const over = new AbortController();
  void running.ended.then(() => over.abort(endedByItself(context)));
  const either = AbortSignal.any([signal, over.signal]);
  try {
    const mesh = meshOf(context);
    if (options["check"] === true) {
      const isConfirmed = await walkTour({
        mesh,
        print,
        clock,
        signal: either,
        nodeNamespace: nodeNamespace(context.names),
        begunAt,
      });
      return isConfirmed ? EXIT_OK : EXIT_FAILED;
    }
    await watchMesh({ mesh, print, clock, signal: either, startedAt });
    if (signal.aborted) return EXIT_OK;
    throw endedByItself(context);
  } finally {
    await takeDown(context, running);
  }
}

function endedByItself({ names }: CommandContext): MeshAccessError {
  return new MeshAccessError("not_running", "Cannot go on: the mesh has ended by itself", {
    next: `See ${names.stateDirectory}/runtime.log`,
  });
}

async function bringUp(context: CommandContext): Promise<LocalMesh> {
  const { names, repository, signal, print } = context;
  const stopping = (): void => print.note("signet: stopping as soon as the set-up can be undone");
  signal.addEventListener("abort", stopping, { once: true });
  using progress = showProgress(context);
  const running = await launchLocal({
    names,
    repository,
    authorityDirectory: path.join(repository, AUTHORITY),
    manifests: [path.join(repository, MANIFESTS)],
    onProgress: (event) => progress.note(event),
  });
  signal.removeEventListener("abort", stopping);
  if (!signal.aborted) return running;
  await running.stop();
  throw signal.reason;
}

interface ProgressView extends Disposable {
  note(event: Progress): void;
}

function showProgress({ print, clock }: CommandContext): ProgressView {
  let steps: readonly Step[] = [];
  if (!print.isTty) {
    return {
      note(event) {
        steps = noteProgress(steps, event);
        const line = progressLine(steps, event, print.style);
        if (line !== null) print.note(line);
      },
      [Symbol.dispose]() {},
    };
  }
  const screen = drawInPlace(print);
  const draw = (): void =>
    screen.draw(renderProgress(steps, clock.now(), print.width(), print.style));
  const timer = setInterval(draw, DRAW_MS);
  return {
    note(event) {
      steps = noteProgress(steps, event);
      draw();
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      draw();
      screen[Symbol.dispose]();
    },
  };
}

async function takeDown({ print }: CommandContext, running: LocalMesh): Promise<void> {
  print.note("signet: stopping the mesh and cleaning up");
  await running.stop();
  print.note("signet: stopped, everything removed");
}

function detachedText(pid: number): readonly string[] {
  return [
    `the mesh runs (process ${pid})`,
    "  look at it:  signet local status",
    "  identities:  signet certs list",
    "  app-a:       signet local logs app-a -f",
    "  stop it:     signet local down",
  ];
}
