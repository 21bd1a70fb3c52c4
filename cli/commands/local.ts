// `signet local status|down|exec|logs`: looking at and into the mesh on this machine.
import { isatty } from "node:tty";
import { sleep } from "#/lib/clock.ts";
import { attach } from "#/local/attach.ts";
import { hasProgram, stopLocal } from "#/local/launch.ts";
import type { Stop } from "#/local/launch.ts";
import type { PodView } from "#/local/protocol.ts";
import { UsageError } from "../args.ts";
import { commandInPod } from "../local-mesh.ts";
import { findPod, podName } from "../mesh.ts";
import type { Pod } from "../mesh.ts";
import type { Paint } from "../paint.ts";
import { formatTable } from "../table.ts";
import { formatDuration } from "../text.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { clientOf, localMeshOf, option, word } from "./context.ts";

const LINES_DEFAULT = 200;
/** As many as the runtime keeps. */
const LINES_MAX = 400;
const FOLLOW_MS = 500;

export async function localStatus(context: CommandContext): Promise<number> {
  const { print, clock } = context;
  const client = clientOf(context);
  const { pods, phase, reason, startedAtMs, pid } = await client.status();
  if (print.format === "json") {
    print.json({ phase, reason, startedAtMs, pid, pods });
    return EXIT_OK;
  }
  const { paint } = print.style;
  const up = formatDuration(clock.now() - startedAtMs);
  const state = reason === "" ? phase : `${phase}: ${reason}`;
  print.lines([`mesh ${paint.bold(state)}, up ${up}, process ${pid}`, ""]);
  const columns = [
    { title: "POD", shrinks: true },
    { title: "STATE" },
    { title: "ADDRESS" },
    { title: "CONTAINERS", alignRight: true },
    { title: "RESTARTS", alignRight: true },
    { title: "MESH" },
  ];
  const rows = pods.toSorted(byName).map((pod) => podRow(pod, paint));
  print.lines(formatTable(columns, rows, print.width(), print.style));
  return phase === "failed" ? EXIT_FAILED : EXIT_OK;
}

function podRow(pod: PodView, paint: Paint): readonly string[] {
  // The init container has done its work and is gone.
  const containers = pod.containers.filter(({ name }) => name !== "proxy-init");
  const restarts = containers.reduce((sum, each) => sum + each.restarts, 0);
  const isWell = pod.phase === "Running" && pod.ready;
  const state = pod.reason === "" ? pod.phase : `${pod.phase}: ${pod.reason}`;
  return [
    podName(pod),
    isWell ? paint.green("ready") : paint.red(pod.phase === "Running" ? "not ready" : state),
    pod.address,
    `${containers.filter((each) => each.running).length}/${containers.length}`,
    String(restarts),
    pod.meshed ? "sidecar" : paint.dim("none"),
  ];
}

function byName(one: PodView, other: PodView): number {
  return podName(one) < podName(other) ? -1 : 1;
}

export async function localDown(context: CommandContext): Promise<number> {
  const { print, names } = context;
  const stop = await stopLocal(names);
  if (print.format === "json") {
    print.json({ wasRunning: stop === "stopped", hadLeftovers: stop === "cleared" });
  } else print.lines([stopText[stop]]);
  return EXIT_OK;
}

const stopText: Readonly<Record<Stop, string>> = {
  stopped: "stopped, everything removed",
  cleared: "nothing was running; what an earlier run had left is removed",
  nothing: "nothing was running",
};

/** The command's own exit code becomes ours. */
export async function localExec(context: CommandContext): Promise<number> {
  const { print, signal } = context;
  const pod = await named(context);
  const container = option(context, "container");
  const client = clientOf(context);
  const isTerminal = isatty(0) && isatty(1) && hasProgram("script");
  const command = commandInPod(context.words["command"] ?? []);
  const call = {
    pod: podName(pod),
    command: isTerminal ? ["env", `TERM=${process.env["TERM"] ?? "dumb"}`, ...command] : command,
    ...(container === null ? {} : { container }),
  };
  if (print.format === "json") {
    const result = await client.exec({ ...call, command }, signal);
    print.json(result);
    return result.code;
  }
  const code = await attach(await client.entry(call), { onTerminal: isTerminal, signal });
  signal.throwIfAborted();
  return code;
}

export async function localLogs(context: CommandContext): Promise<number> {
  const { print, signal, clock } = context;
  const pod = await named(context);
  const container = option(context, "container");
  const client = clientOf(context);
  const read = async (tail: number): Promise<readonly string[]> => {
    const options = container === null ? { tail } : { tail, container };
    const text = await client.logs(podName(pod), options);
    return text === "" ? [] : text.split("\n");
  };
  const wanted = linesWanted(context);
  // Nothing of what there is: only what comes after it.
  let shown = await read(wanted === 0 ? LINES_MAX : wanted);
  if (wanted > 0) print.lines(shown);
  while (context.options["follow"] === true && !signal.aborted) {
    await sleep(clock, FOLLOW_MS, signal);
    if (signal.aborted) break;
    const now = await read(LINES_MAX);
    print.lines(newLines(shown, now));
    shown = now;
  }
  return EXIT_OK;
}

/**
 * What came after `before` was read, when `after` is a later look at the same growing list of which
 * only the end is kept. All of `after` when they have nothing in common.
 */
export function newLines(before: readonly string[], after: readonly string[]): readonly string[] {
  const last = before.at(-1);
  if (last === undefined) return after;
  const isGrown = before.every((line, index) => line === after[index]);
  if (isGrown) return after.slice(before.length);
  for (let end = after.length; end > 0; end -= 1) {
    if (after[end - 1] !== last) continue;
    const overlap = Math.min(end, before.length);
    const isSame = before
      .slice(-overlap)
      .every((line, index) => line === after[end - overlap + index]);
    if (isSame) return after.slice(end);
  }
  return after;
}

function linesWanted(context: CommandContext): number {
  const text = option(context, "tail");
  if (text === null) return LINES_DEFAULT;
  if (/^\d{1,6}$/.test(text)) return Math.min(Number(text), LINES_MAX);
  throw new UsageError("usage", `Cannot show the last "${text}" lines: not a whole number`, {
    next: 'See "signet local logs --help"',
  });
}

async function named(context: CommandContext): Promise<Pod> {
  return findPod(await localMeshOf(context).pods(), word(context, "pod"));
}
