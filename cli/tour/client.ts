// Runs the demo's client in a pod and reads its reports.
import { MeshAccessError } from "../mesh.ts";
import type { Pod } from "../mesh.ts";
import type { TourContext } from "./claim.ts";

/** Counted by the client; times in milliseconds since it began. */
export interface LoadReport {
  readonly requests: number;
  readonly ok: number;
  readonly failed: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
  readonly servers: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly latencyMs: Readonly<Record<"p50" | "p99" | "max", number>> | null;
  readonly durationMs: number;
  readonly requestsPerS: number;
  readonly connections: number;
  readonly firstFailedMs: number | null;
  readonly lastOkMs: number | null;
  /** When the report was read, monotonic: what the client's own times are put in relation to. */
  readonly readAt: number;
}

export interface RawReport {
  readonly connected: boolean;
  readonly end: string;
  readonly error: string | null;
  readonly endedMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly received: string;
  readonly lastReceivedMs: number | null;
  readonly readAt: number;
}

export const greeterUrl = "http://app-b.app-b.svc.cluster.local./hello";
/** The beginning of every answer of app-b. */
export const greeting = "Hello from app-b service!";

/** `flags` as `client --help` describes them, with single blanks between. */
export async function load(
  context: TourContext,
  pod: Pod,
  url: string,
  flags: string,
): Promise<LoadReport> {
  const report = await run(context, pod, [url, ...flags.split(" "), "--json"]);
  if (typeof report["requests"] !== "number") throw unreadable("no count of requests");
  return {
    ...(report as unknown as Omit<LoadReport, "readAt">),
    readAt: context.clock.monotonic(),
  };
}

export async function connect(
  context: TourContext,
  pod: Pod,
  target: string,
  flags: readonly string[],
): Promise<RawReport> {
  const report = await run(context, pod, ["--connect", target, ...flags]);
  if (typeof report["end"] !== "string") throw unreadable("no end of the connection");
  return { ...(report as unknown as Omit<RawReport, "readAt">), readAt: context.clock.monotonic() };
}

/** Sets how many of a hundred requests an app-b pod fails, through its loopback port. */
export async function setFailRate(context: TourContext, pod: Pod, percent: number): Promise<void> {
  const script = `fetch("http://127.0.0.1:8081/fail-rate",{method:"POST",body:"${percent}"}).then(r=>process.exit(r.ok?0:1))`;
  const { exitCode, stderr } = await context.mesh.execute(pod, ["node", "-e", script]);
  if (exitCode !== 0) throw unreadable(`app-b's control port: ${stderr.trim()}`);
}

/** "200 x 297, 500 x 3; ECONNRESET x 1": what a person wants to see when something failed. */
export function outcomes({ statuses, errors }: LoadReport): string {
  const list = [...Object.entries(statuses), ...Object.entries(errors)];
  return list.map(([what, count]) => `${what} x ${count}`).join(", ") || "nothing";
}

async function run(
  context: TourContext,
  pod: Pod,
  flags: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  const { stdout, stderr, exitCode } = await context.mesh.execute(pod, ["client", ...flags], {
    signal: context.signal,
  });
  context.signal.throwIfAborted();
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  try {
    const report: unknown = JSON.parse(last);
    if (typeof report === "object" && report !== null) return report as Record<string, unknown>;
  } catch (error) {
    throw unreadable(`${exitCode}: ${last} ${stderr.trim()}`.slice(0, 300), error);
  }
  throw unreadable(last.slice(0, 300));
}

function unreadable(state: string, cause?: unknown): MeshAccessError {
  return new MeshAccessError("unreadable", `Cannot read the client's report: ${state}`, { cause });
}
