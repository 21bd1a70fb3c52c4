// The soak's HTTP: requests on connections that are kept, on connections of their own, and slow ones.
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { host } from "#/test/kit/streams/ports.ts";
import type { Tally } from "./tally.ts";

export interface HttpRates {
  /** Requests per second on connections that are kept, and on ones of their own. */
  readonly kept: number;
  readonly churned: number;
  /** Slow callers begun per second; each lasts about three seconds. */
  readonly slow: number;
}

const keptConnections = 16;
const answerBytes = 256 * 1024;
const pieceMs = 500;
/** A slow reader's pace: so many bytes each `readMs`. */
const readBytes = 32 * 1024;
const readMs = 100;

export function startHttp(tally: Tally, rates: HttpRates): void {
  const agent = new Agent({ keepAlive: true, maxSockets: keptConnections });
  every(rates.kept, () => ask(tally, "kept", agent));
  every(rates.churned, () => ask(tally, "churned", false));
  every(rates.slow, () => askSlowly(tally));
}

/** Calls so many times a second, in small bunches. */
export function every(perSecond: number, call: () => void): void {
  if (perSecond <= 0) return;
  const stepMs = Math.max(20, 1000 / perSecond);
  let owed = 0;
  setInterval(() => {
    owed += (perSecond * stepMs) / 1000;
    for (; owed >= 1; owed -= 1) call();
  }, stepMs);
}

function ask(tally: Tally, kind: "kept" | "churned", agent: Agent | false): void {
  const began = performance.now();
  const called = request({ host, path: "/once", agent }, (response) => {
    response.resume();
    response.once("end", () => {
      if (response.statusCode === 200) tally.done(kind, performance.now() - began);
      else tally.failed(kind, `status ${response.statusCode}`);
    });
    response.once("error", (error) => tally.failed(kind, error.message));
  });
  called.once("error", (error) => tally.failed(kind, error.message));
  called.end();
}

/** A head in pieces, and an answer that is read no faster than its reader likes. */
function askSlowly(tally: Tally): void {
  const began = performance.now();
  const socket = connect({ host, port: 80 });
  const head = `GET /source?bytes=${answerBytes}&sized HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n`;
  const pieces = [head, "x-a: 1\r\n", "x-b: 2\r\n", "\r\n"];
  let received = 0;
  const sender = setInterval(() => {
    const piece = pieces.shift();
    if (piece !== undefined) socket.write(piece);
    if (pieces.length === 0) clearInterval(sender);
  }, pieceMs);
  socket.on("readable", () => {
    const bytes = socket.read(
      Math.min(readBytes, Math.max(1, socket.readableLength)),
    ) as Buffer | null;
    received += bytes?.length ?? 0;
    if (bytes !== null) setTimeout(() => socket.emit("readable"), readMs);
  });
  socket.once("error", (error) => tally.failed("slow", error.message));
  socket.once("end", () => {
    if (received > answerBytes) tally.done("slow", performance.now() - began);
    else tally.failed("slow", `${received} bytes`);
  });
  socket.once("close", () => clearInterval(sender));
}
