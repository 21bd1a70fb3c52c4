// The live view's loop: once a second it asks every sidecar, app-a and the runtime, and draws what the
// pure parts make of the answers. Ends when the signal aborts.
import { sleep } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import type { Printer } from "../print.ts";
import type { Answer } from "./app-lines.ts";
import { readAnswers } from "./app-lines.ts";
import { advance, buildModel, startHistory } from "./model.ts";
import type { History, PodScrape } from "./model.ts";
import { render, renderSummary } from "./render.ts";
import { parseExposition } from "./scrape.ts";
import { drawFullScreen } from "./screen.ts";
import { indexSamples } from "./series.ts";

const LOOK_MS = 1000;
const SUMMARY_EVERY_LOOKS = 5;
const SYSTEM_NAMESPACE = "signet-system";

export interface WatchOptions {
  readonly mesh: Mesh;
  readonly print: Printer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** When the mesh began, milliseconds since the Unix epoch. */
  readonly startedAt: number;
}

export async function watchMesh(options: WatchOptions): Promise<void> {
  await (options.print.isTty ? watchOnScreen(options) : watchAsLines(options));
}

interface Look {
  readonly history: History;
  readonly answers: readonly Answer[];
}

async function watchOnScreen(options: WatchOptions): Promise<void> {
  const { print, clock, startedAt } = options;
  using screen = drawFullScreen(print);
  let look: Look = { history: startHistory(startedAt), answers: [] };
  const draw = (): void => {
    const model = buildModel(look.history, look.answers);
    screen.draw(render(model, print.width(), print.height(), clock.now(), print.style));
  };
  process.stdout.on("resize", draw);
  try {
    await eachLook(options, (next) => {
      look = next;
      draw();
    });
  } finally {
    process.stdout.off("resize", draw);
  }
}

async function watchAsLines(options: WatchOptions): Promise<void> {
  const { print, clock } = options;
  let looks = 0;
  let lastNumber = 0;
  await eachLook(options, ({ history, answers }) => {
    for (const answer of answers) {
      // app-a began anew when its numbers did.
      if (answer.number <= lastNumber && answer.number !== 1) continue;
      if (answer.number === 1 && lastNumber !== 0) continue;
      lastNumber = answer.number;
      print.lines(answer.lines.map((line) => `app-a | ${line}`));
    }
    looks += 1;
    if (looks % SUMMARY_EVERY_LOOKS !== 0) return;
    print.lines([renderSummary(buildModel(history, answers), clock.now(), print.style)]);
  });
}

async function eachLook(options: WatchOptions, show: (look: Look) => void): Promise<void> {
  const { mesh, clock, signal, startedAt } = options;
  const trustDomain = await mesh.trustDomain();
  let history = startHistory(startedAt);
  while (!signal.aborted) {
    const begunAt = clock.monotonic();
    const [scrapes, answers] = await Promise.all([scrapeAll(mesh, trustDomain), answersOf(mesh)]);
    if (signal.aborted) return;
    history = advance(history, clock.now(), scrapes);
    show({ history, answers });
    await sleep(clock, Math.max(0, LOOK_MS - (clock.monotonic() - begunAt)), signal);
  }
}

async function scrapeAll(mesh: Mesh, trustDomain: string): Promise<readonly PodScrape[]> {
  const pods = await orNone(mesh.pods());
  const meshed = pods.filter((pod) => pod.isMeshed && pod.namespace !== SYSTEM_NAMESPACE);
  return Promise.all(meshed.map((pod) => scrapeOne(mesh, pod, trustDomain)));
}

async function scrapeOne(mesh: Mesh, pod: Pod, trustDomain: string): Promise<PodScrape> {
  const identity = `spiffe://${trustDomain}/ns/${pod.namespace}/sa/${pod.serviceAccount}`;
  try {
    const counters = indexSamples(parseExposition(await mesh.metrics(pod)));
    return { pod: podName(pod), identity, counters };
  } catch {
    // A sidecar that starts or stops does not answer: that is shown, not told as a fault.
    return { pod: podName(pod), identity, counters: null };
  }
}

async function answersOf(mesh: Mesh): Promise<readonly Answer[]> {
  const pods = await orNone(mesh.pods());
  const caller = pods.find((pod) => pod.namespace === "app-a" && pod.name.startsWith("app-a"));
  if (caller === undefined) return [];
  try {
    return readAnswers(await mesh.logs(caller, null));
  } catch (error) {
    const status = messageOf(error);
    return [{ number: 0, status, isOk: false, server: "", body: "", lines: [] }];
  }
}

/** While the mesh stops there is nobody to ask. */
function orNone<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  return asked.catch(() => []);
}
