// The access log into a real file: every line is read again as JSON.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { assert, property, string } from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { AccessLog } from "./access-log.ts";
import type { ConnectionRecord, RequestRecord } from "./access-log.ts";

const startMs = Date.UTC(2030, 0, 1, 0, 0, 0, 7);
const request: RequestRecord = {
  direction: "inbound",
  method: "GET",
  path: "/hello",
  status: 200,
  durationMs: 1.23456,
  requestBytes: 0,
  responseBytes: 5,
  source: "spiffe://cluster.local/ns/a/sa/a",
  destination: "spiffe://cluster.local/ns/b/sa/b",
  service: "b/b",
  upstream: "10.0.0.1:80",
  tries: 1,
  group: "X25519MLKEM768",
  reason: "",
};
const connection: ConnectionRecord = {
  direction: "outbound",
  protocol: "tcp",
  durationMs: 12.7,
  sourceAddress: "10.0.0.7",
  source: "spiffe://cluster.local/ns/a/sa/a",
  destination: "plaintext",
  upstream: "10.0.0.1:80",
  group: "",
  bytesReceived: 1,
  bytesSent: 2,
  verdict: "allowed",
  reason: "",
};

interface Written {
  readonly log: AccessLog;
  readonly clock: ManualClock;
  /** What is in the file once all is out. */
  readonly text: () => Promise<string>;
}

function open(t: ExecutionContext): Written {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-log-"));
  const file = path.join(folder, "access.log");
  const descriptor = openSync(file, "a");
  t.teardown(() => {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });
  const clock = new ManualClock(startMs);
  const log = new AccessLog(descriptor, clock);
  const text = async (): Promise<string> => {
    const out = { done: false };
    const flushed = log.flush().then(() => (out.done = true));
    while (!out.done) {
      clock.advance(5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await flushed;
    return readFileSync(file, "latin1");
  };
  return { log, clock, text };
}

const linesOf = (text: string): readonly Record<string, unknown>[] => {
  if (!text.endsWith("\n")) throw new Error("The last line is not whole");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

test("access log writes one line of JSON per request and per connection", async (t) => {
  const { log, clock, text } = open(t);
  log.request(request);
  clock.jump(1000);
  log.connection(connection);
  log.request({ ...request, reason: "no_route", status: 404 });
  t.deepEqual(linesOf(await text()), [
    {
      time: "2030-01-01T00:00:00.007Z",
      kind: "request",
      direction: "inbound",
      method: "GET",
      path: "/hello",
      status: 200,
      duration_ms: 1.235,
      request_bytes: 0,
      response_bytes: 5,
      "src.identity": request.source,
      "dst.identity": request.destination,
      "dst.service": "b/b",
      upstream: "10.0.0.1:80",
      "tls.group": "X25519MLKEM768",
      tries: 1,
    },
    {
      time: "2030-01-01T00:00:01.007Z",
      kind: "connection",
      direction: "outbound",
      protocol: "tcp",
      upstream: "10.0.0.1:80",
      verdict: "allowed",
      reason: "",
      duration_ms: 13,
      "src.addr": "10.0.0.7",
      "src.identity": connection.source,
      "dst.identity": "plaintext",
      "tls.group": "",
      bytes_received: 1,
      bytes_sent: 2,
    },
    {
      ...linesOf(await text())[0],
      time: "2030-01-01T00:00:01.007Z",
      status: 404,
      reason: "no_route",
    },
  ]);
});

const forged = '{"kind":"request","src.identity":"spiffe://cluster.local/ns/admin/sa/admin"}';
const paths: readonly [string, string][] = [
  ["a quote", `/a","src.identity":"spiffe://x`],
  ["a line feed", `/a\n${forged}`],
  ["a carriage return", `/a\r${forged}`],
  ["a backslash before the end", String.raw`/a\ `.trim()],
  ["a NUL", "/a\u0000b"],
  ["an escape for a terminal", "/\u001b[2J"],
  ["DEL and C1 controls", "/\u007f\u0085\u009b"],
  ["latin1 letters", "/\u00e4\u00ff"],
  ["letters whose low byte is a line feed or a quote", `/\u010a${forged}\u0122`],
  ["line separators of Unicode", "/\u2028\u2029"],
  ["half a surrogate pair", "/\ud800"],
];
for (const [what, text] of paths) {
  test(`access log writes ${what} in a path so that it forges no line`, async (t) => {
    const it = open(t);
    it.log.request({ ...request, path: text });
    it.log.request(request);
    const written = await it.text();
    const lines = linesOf(written);
    t.is(lines.length, 2);
    t.like(lines[0], { path: text, "src.identity": request.source });
    t.regex(written, /^[\x20-\x7e\n]*$/);
  });
}

test("access log property: whatever a path or a peer is called, lines stay whole and ASCII", async (t) => {
  const it = open(t);
  const texts: string[] = [];
  assert(
    property(string({ unit: "binary", maxLength: 40 }), (text) => {
      texts.push(text);
      it.log.request({ ...request, path: text });
      it.log.connection({ ...connection, upstream: text, reason: text, sourceAddress: text });
    }),
    fuzzOptions(t, 300),
  );
  const written = await it.text();
  t.regex(written, /^[\x20-\x7e\n]*$/);
  const lines = linesOf(written);
  t.is(lines.length, texts.length * 2);
  for (const [index, text] of texts.entries()) {
    t.is(lines[index * 2]?.["path"], text);
    t.is(lines[index * 2 + 1]?.["upstream"], text);
  }
});

test("access log drops and counts what is above its bound, and goes on after", async (t) => {
  const { log, text } = open(t);
  const long = { ...request, path: `/${"a".repeat(100_000)}` };
  // A chunk holds one of them: one is being written, 32 wait, one gathers.
  for (let count = 0; count < 40; count += 1) log.request(long);
  t.is(log.dropped, 6);
  t.is(linesOf(await text()).length, 34);
  log.request({ ...request, path: `/${"a".repeat(200_000)}` });
  t.is(log.dropped, 7, "a line longer than a chunk");
  log.request(request);
  t.is(linesOf(await text()).length, 35);
});

test("access log counts what could not be written, and lives", async (t) => {
  const clock = new ManualClock(startMs);
  const full = openSync("/dev/full", "w");
  t.teardown(() => closeSync(full));
  const log = new AccessLog(full, clock);
  log.request(request);
  clock.advance(100);
  while (log.dropped === 0) await new Promise((resolve) => setImmediate(resolve));
  t.is(log.dropped, 1);
  log.request(request);
  clock.advance(100);
  while (log.dropped === 1) await new Promise((resolve) => setImmediate(resolve));
  t.is(log.dropped, 2);
});

test("access log without a descriptor writes nothing and arms nothing", (t) => {
  const clock = new ManualClock(startMs);
  const log = new AccessLog(null, clock);
  log.request(request);
  log.connection(connection);
  t.is(clock.timerCount, 0);
});
