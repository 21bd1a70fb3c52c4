import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import { readJob } from "./arguments.ts";
import { runLoad } from "./load.ts";
import { runRaw } from "./raw.ts";
import type { RawReport } from "./raw.ts";
import type { Summary } from "./summary.ts";

const never = new AbortController().signal;

async function loadAgainst(
  listener: RequestListener,
  commandLine: readonly string[],
  stop: AbortSignal = never,
): Promise<Summary> {
  await using server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const job = readJob([`http://127.0.0.1:${port}/`, ...commandLine]);
  if (job.kind !== "load") throw new Error(job.kind);
  const summary = await runLoad(job, stop, () => undefined);
  server.closeAllConnections();
  return summary;
}

test("runLoad keeps connections alive unless told otherwise", async (t) => {
  const ok: RequestListener = (_, response) => void response.end("Version: 1.0");
  const kept = await loadAgainst(ok, ["--count", "20", "--concurrency", "2"]);
  t.like(kept, { requests: 20, ok: 20, versions: { "1.0": 20 }, errors: {} });
  t.true(kept.connections <= 2);
  t.is((await loadAgainst(ok, ["--count", "5", "--new-connections"])).connections, 5);
});

test("runLoad starts on time although answers are late, and counts the lateness", async (t) => {
  let first = true;
  const slowFirst: RequestListener = (_, response) => {
    setTimeout(() => response.end(), first ? 300 : 0);
    first = false;
  };
  const summary = await loadAgainst(slowFirst, [
    "--count",
    "4",
    "--rate",
    "50",
    "--concurrency",
    "1",
  ]);
  // Requests 2 to 4 were due at 20, 40 and 60 ms but had to wait for the first one's 300 ms.
  t.is(summary.ok, 4);
  t.true(summary.latencyMs!.p50 >= 200, JSON.stringify(summary.latencyMs));
});

test("runLoad counts what breaks by its kind and goes on", async (t) => {
  let number = 0;
  const broken: RequestListener = (request, response) => {
    number += 1;
    if (number === 1) request.socket.resetAndDestroy();
    else if (number === 2) response.writeHead(503).end();
    else if (number === 3) response.end("ok");
  };
  const summary = await loadAgainst(broken, ["--count", "4", "--timeout-ms", "200"]);
  t.deepEqual(summary.errors, { ECONNRESET: 1, timeout: 1 });
  t.deepEqual(summary.statuses, { 200: 1, 503: 1 });
  t.is(summary.failed, 3);
});

test("runLoad ends at its duration, and when it is stopped", async (t) => {
  const ok: RequestListener = (_, response) => void response.end();
  const timed = await loadAgainst(ok, ["--duration", "0.2", "--rate", "100"]);
  t.true(timed.requests > 0 && timed.requests <= 21);
  const stopping = new AbortController();
  const stopped = loadAgainst(ok, ["--rate", "1", "--count", "100"], stopping.signal);
  setTimeout(() => stopping.abort(), 100);
  t.true((await stopped).requests <= 1);
});

async function rawAgainst(
  serve: (socket: Socket) => void,
  ...commandLine: string[]
): Promise<RawReport> {
  await using server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const job = readJob(["--connect", `127.0.0.1:${port}`, ...commandLine]);
  if (job.kind !== "raw") throw new Error(job.kind);
  return await runRaw(job, never);
}

test("runRaw tells closed, reset and held apart", async (t) => {
  const closed = await rawAgainst((socket) => socket.end("bye"));
  t.like(closed, {
    connected: true,
    end: "closed",
    received: "bye",
    receivedBytes: 3,
    error: null,
  });
  const reset = await rawAgainst((socket) => void setTimeout(() => socket.resetAndDestroy(), 30));
  t.like(reset, { connected: true, end: "reset", error: "ECONNRESET", receivedBytes: 0 });
  const held = await rawAgainst((socket) => void socket.resume(), "--hold", "0.1");
  t.like(held, { connected: true, end: "held", lastReceivedMs: null });
});

test("runRaw sends again and again and keeps the beginning of what comes back", async (t) => {
  const echo = (socket: Socket): void => void socket.pipe(socket);
  const report = await rawAgainst(echo, "--send", "ab", "--send-every-ms", "20", "--hold", "0.15");
  t.is(report.end, "held");
  t.true(report.sentBytes >= 6);
  t.true(report.received.startsWith("abab"));
});

test("runRaw reports a port where nobody listens as refused", async (t) => {
  await using server = createTcpServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await server[Symbol.asyncDispose]();
  const job = readJob(["--connect", `127.0.0.1:${port}`]);
  if (job.kind !== "raw") throw new Error(job.kind);
  t.like(await runRaw(job, never), { connected: false, end: "refused", error: "ECONNREFUSED" });
});
