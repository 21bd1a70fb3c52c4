// wrk: its command line, its request script, and its printed result. Pure.
import { MeshError } from "#/lib/errors.ts";
import { requestHead, varyingMark } from "./works.ts";
import type { Work } from "./works.ts";

export class WrkError extends MeshError<"wrk_output_unreadable"> {}

export interface WrkResult {
  readonly requests: number;
  readonly durationS: number;
  /** As wrk prints it: three digits of KB, MB or GB, which are powers of 1024. */
  readonly bytesRead: number;
  /** Socket errors of all kinds and answers other than 2xx and 3xx. */
  readonly errors: number;
}

/** Parameters for one run. `scriptPath` holds what `wrkScript` returned, or is null when that is null. */
export function wrkParameters(
  work: Work,
  url: string,
  host: string,
  durationS: number,
  scriptPath: string | null,
): string[] {
  const script = scriptPath === null ? [] : ["-s", scriptPath];
  return [
    "-t1",
    `-c${work.connections}`,
    `-d${durationS}s`,
    "--timeout",
    "10s",
    "-H",
    `Host: ${host}`,
    ...script,
    `${url}${work.path}`,
  ];
}

/**
 * A Lua script that sends the work's headers with a counter in the varying one, or its body; null when it has
 * neither.
 */
export function wrkScript(work: Work, host: string): string | null {
  if (work.bodyBytes > 0) {
    return `wrk.method = "POST"\nwrk.body = string.rep("x", ${work.bodyBytes})\n`;
  }
  if (work.headers.length === 0) return null;
  const [before, after = ""] = requestHead(work, host).split(varyingMark);
  return [
    `local before = ${luaText(before!)}`,
    `local after = ${luaText(after)}`,
    "local counter = 0",
    "request = function()",
    "  counter = counter + 1",
    '  return before .. string.format("%012x", counter) .. after',
    "end",
    "",
  ].join("\n");
}

function luaText(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\r", "\\r").replaceAll("\n", "\\n")}"`;
}

/** Reads what wrk printed. Throws WrkError when the closing lines are missing. */
export function parseWrk(output: string): WrkResult {
  const done = /(\d+) requests in ([\d.]+)(us|ms|s|m|h), ([\d.]+)([KMGT]?)B read/.exec(output);
  if (done === null) {
    const said = output.trim().split("\n").at(-1)!.trim();
    throw new WrkError("wrk_output_unreadable", `Cannot read the result of wrk: it said "${said}"`);
  }
  const socket =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ??
    [];
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? "0";
  return {
    requests: Number(done[1]),
    durationS: Number(done[2]) * unitS[done[3] as keyof typeof unitS],
    bytesRead: Number(done[4]) * 1024 ** unitPowers.indexOf(done[5]!),
    errors: [...socket, refused].reduce((sum, each) => sum + Number(each), 0),
  };
}

const unitPowers = ["", "K", "M", "G", "T"];
const unitS = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 } as const;
