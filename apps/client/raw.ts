// One TCP connection, watched: what came back, how it ended and when. For asking whether a listener
// refuses, resets or closes, and whether an open connection is cut when policy changes.
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { RawJob } from "./arguments.ts";

type RawEnd =
  | "refused"
  | "unreachable"
  | "connect_timeout"
  /** The peer said goodbye (FIN). */
  | "closed"
  /** The peer cut it (RST). */
  | "reset"
  /** Still open when the time to hold it was over. */
  | "held"
  | "failed";

export interface RawReport {
  readonly target: string;
  /** False with "reset" when the peer cut it before this end had noticed that it stood. */
  readonly connected: boolean;
  readonly end: RawEnd;
  /** The errno, when there was one. */
  readonly error: string | null;
  /** Milliseconds since the attempt began. */
  readonly connectedMs: number | null;
  readonly endedMs: number;
  readonly lastReceivedMs: number | null;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The beginning of what came back, as UTF-8. */
  readonly received: string;
}

const receivedBytesMax = 16 * 1024;

/** Runs the job to its end, or to the abort of `stop`. Never rejects. */
export function runRaw(job: RawJob, stop: AbortSignal): Promise<RawReport> {
  const startedAt = performance.now();
  const elapsedMs = (): number => Math.round((performance.now() - startedAt) * 1000) / 1000;
  const kept: Buffer[] = [];
  let receivedBytes = 0;
  let connectedMs: number | null = null;
  let lastReceivedMs: number | null = null;
  return new Promise((resolve) => {
    const socket = connect({ host: job.host, port: job.port, noDelay: true });
    const finish = (end: RawEnd, error: string | null = null): void => {
      const endedMs = elapsedMs();
      const sentBytes = socket.bytesWritten;
      clearTimeout(timer);
      stop.removeEventListener("abort", aborted);
      socket.destroy();
      resolve({
        target: `${job.host}:${job.port}`,
        connected: connectedMs !== null,
        end,
        error,
        connectedMs,
        endedMs,
        lastReceivedMs,
        sentBytes,
        receivedBytes,
        received: Buffer.concat(kept).toString("utf8"),
      });
    };
    const aborted = (): void => finish("held");
    let timer = setTimeout(() => finish("connect_timeout"), job.timeoutMs);
    stop.addEventListener("abort", aborted, { once: true });
    socket.once("connect", () => {
      connectedMs = elapsedMs();
      clearTimeout(timer);
      timer = setTimeout(() => finish("held"), job.holdMs);
      sendRepeatedly(socket, job);
    });
    socket.on("data", (chunk: Buffer) => {
      lastReceivedMs = elapsedMs();
      if (receivedBytes < receivedBytesMax) {
        kept.push(chunk.subarray(0, receivedBytesMax - receivedBytes));
      }
      receivedBytes += chunk.length;
    });
    socket.once("end", () => finish("closed"));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      finish(endOf(error.code), error.code ?? error.message);
    });
  });
}

function sendRepeatedly(socket: Socket, job: RawJob): void {
  if (job.send === "") return;
  socket.write(job.send, "latin1");
  if (job.sendEveryMs <= 0) return;
  const timer = setInterval(() => socket.write(job.send, "latin1"), job.sendEveryMs);
  socket.once("close", () => clearInterval(timer));
}

function endOf(code: string | undefined): RawEnd {
  switch (code) {
    case "ECONNREFUSED":
      return "refused";
    case "ECONNRESET":
    case "EPIPE":
      return "reset";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "unreachable";
    case "ETIMEDOUT":
      return "connect_timeout";
    default:
      return "failed";
  }
}
