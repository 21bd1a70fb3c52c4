// Micro benchmark of the HTTP/2 byte work, under a minute: `node bench/micro/http2.ts`. Prints the best of
// several rounds per call, in CPU time (the collector's threads included), which is least disturbed by other
// work on the machine; then what a request costs both ends of a connection over loopback, with our codec and
// with Node's own.
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { METHOD } from "#/http/http1/method.ts";
import { Http2Connection } from "#/http/http2/connection.ts";
import { fieldLine } from "#/http/http2/field-line.ts";
import { HpackDecoder } from "#/http/http2/hpack-decoder.ts";
import { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { defaultConnectionLimits } from "#/http/http2/limits.ts";
import { RequestFields } from "#/http/http2/request-fields.ts";
import type { ConnectionOwner } from "#/http/http2/session.ts";
import type { Http2Stream, StreamListener } from "#/http/http2/stream.ts";
import { encodeFields } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { Http2Shell } from "#/test/kit/http2-shell.ts";

const CALLS = 50_000;
const ROUNDS = 12;
const STREAMS = 32;
const REQUESTS = 40_000;

/** 13 fields as a browser sends them, four of them pseudo. */
const browser: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/api/v2/orders/4711?expand=items"],
  [":authority", "orders.shop.svc.cluster.local"],
  ["user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"],
  ["accept", "application/json, text/plain, */*"],
  ["accept-language", "en-GB,en;q=0.5"],
  ["accept-encoding", "gzip, deflate, br, zstd"],
  ["x-forwarded-for", "10.1.2.3"],
  ["sec-fetch-mode", "cors"],
  ["cache-control", "no-cache"],
  ["dnt", "1"],
  ["priority", "u=1"],
];
const answer: readonly Field[] = [
  [":status", "200"],
  ["date", "Sat, 21 Nov 2026 08:00:00 GMT"],
  ["content-type", "application/json; charset=utf-8"],
  ["content-length", "54"],
  ["cache-control", "no-store"],
  ["etag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'],
  ["vary", "accept-encoding"],
  ["x-frame-options", "DENY"],
];
const body = Buffer.alloc(54, "x");
const text = (name: string): string => browser.find(([each]) => each === name)![1];

let sink = 0;

/** CPU ns of CALLS calls. */
function cpuOf(call: () => number): number {
  const before = process.cpuUsage();
  for (let index = 0; index < CALLS; index += 1) sink += call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function measure(name: string, call: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    best = Math.min(best, cpuOf(call) / CALLS);
  }
  process.stdout.write(`${name.padEnd(60)} ${best.toFixed(0).padStart(6)} ns\n`);
}

/** Blocks of one head, one after another as one encoder makes them. */
function blocks(count: number, varies: boolean): Buffer[] {
  const encoder = new HpackEncoder();
  return Array.from({ length: count }, (_, index) => {
    const more: readonly Field[] = varies ? [["x-request-id", `0d9b1c4e-7a86-${index}`]] : [];
    return encodeFields(encoder, [...browser, ...more]);
  });
}

function measureHeads(): void {
  const drop = 0;
  for (const varies of [false, true]) {
    const list = blocks(256, varies);
    const steady = list.slice(128);
    const what = varies ? "13 known fields and one that varies" : "13 known fields";
    const bytes = steady[0]!.length;
    const decoder = new HpackDecoder();
    const request = new RequestFields();
    const encoder = new HpackEncoder();
    for (const block of list.slice(0, 128)) decoder.decode(block, 0, block.length);
    let at = 0;
    const decode = (): number => {
      const block = steady[(at = (at + 1) & 127)]!;
      return decoder.decode(block, 0, block.length);
    };
    const forward = (): number => {
      encoder.begin();
      encoder.forward(decoder.block, drop);
      return encoder.length;
    };
    measure(`decode ${what} (${bytes} bytes)`, decode);
    measure(`decode and judge ${what}`, () => {
      decode();
      return request.read(decoder.block, true, false) === null ? 1 : 0;
    });
    measure(`decode, judge and forward ${what}`, () => {
      decode();
      request.read(decoder.block, true, false);
      return forward();
    });
  }
  const encoder = new HpackEncoder();
  const lines = browser.map(([name, value]) => fieldLine(name, value));
  measure("encode 13 prepared lines", () => {
    encoder.begin();
    for (const line of lines) encoder.line(line);
    return encoder.length;
  });
  const plain = new HpackEncoder();
  plain.resize(0);
  const literal = encodeFields(plain, browser);
  const decoder = new HpackDecoder();
  measure(`decode 13 literals (${literal.length} bytes)`, () =>
    decoder.decode(literal, 0, literal.length),
  );
  const shortened = new HpackEncoder(true);
  shortened.resize(0);
  const coded = encodeFields(shortened, browser);
  measure(`decode 13 literals in Huffman's code (${coded.length} bytes)`, () =>
    decoder.decode(coded, 0, coded.length),
  );
}

/** Two connections without sockets: a request with content and its response, forwarded by nobody. */
class Quiet implements ConnectionOwner, StreamListener {
  onRequest(stream: Http2Stream, _request: RequestFields, last: boolean): void {
    stream.listener = this;
    if (last) respond(stream);
  }
  onResponse(): void {}
  onData(stream: Http2Stream, bytes: Buffer): void {
    stream.release(bytes.length);
  }
  onTrailers(): void {}
  onDrain(): void {}
  onReset(): void {}
  onWake(): void {}
  onFault(): void {}
  onGoaway(): void {}
  onClosed(): void {}
}

const answerLines = answer.map(([name, value]) => fieldLine(name, value));
const browserLines = browser.map(([name, value]) => fieldLine(name, value));

function respond(stream: Http2Stream): void {
  const head = stream.openHead();
  if (head === null) return;
  for (const line of answerLines) head.line(line);
  stream.respond(false);
  stream.send(body, true);
}

function measureConnections(): void {
  const limits = { ...defaultConnectionLimits, idleFrames: { burst: 1e9, perSecond: 0 } };
  const quiet = new Quiet();
  const client = new Http2Connection(quiet, { role: "client", limits, connectProtocol: false }, 0);
  const server = new Http2Connection(quiet, { role: "server", limits, connectProtocol: false }, 0);
  const carry = (from: Http2Connection, to: Http2Connection): number => {
    const parts = from.flush();
    for (const part of parts) to.receive(part, 0);
    return parts.length;
  };
  carry(client, server);
  carry(server, client);
  measure("request of 13 fields, response of 8 and 54 bytes: both ends", () => {
    const head = client.openRequest()!;
    for (const line of browserLines) head.line(line);
    client.request(quiet, METHOD.get, true);
    return carry(client, server) + carry(server, client);
  });
}

async function listen(server: Server | ReturnType<typeof createHttp2Server>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** CPU us per request of this process, which is both ends, with STREAMS requests at a time. */
async function requestCost(open: (done: () => void) => void): Promise<number> {
  const run = (count: number): Promise<void> =>
    new Promise((resolve) => {
      let [begun, ended] = [0, 0];
      const next = (): void => {
        begun += 1;
        open(() => {
          ended += 1;
          if (begun < count) next();
          else if (ended === count) resolve();
        });
      };
      for (let index = 0; index < STREAMS; index += 1) next();
    });
  await run(REQUESTS / 4);
  const before = process.cpuUsage();
  await run(REQUESTS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / REQUESTS;
}

async function measureOurs(): Promise<number> {
  const limits = defaultConnectionLimits;
  const quiet = new Quiet();
  const server = createServer((socket) => {
    const role = { role: "server", limits, connectProtocol: false } as const;
    const shell = new Http2Shell(socket, role, (stream, request, last) =>
      quiet.onRequest(stream, request, last),
    );
    sink += shell.connection.streams;
  });
  const socket = connect(await listen(server), "127.0.0.1");
  const { connection } = new Http2Shell(socket, { role: "client", limits, connectProtocol: false });
  const cost = await requestCost((done) => {
    const listener = new Quiet();
    listener.onData = (stream: Http2Stream, bytes: Buffer, last = false) => {
      stream.release(bytes.length);
      if (last) done();
    };
    const head = connection.openRequest();
    if (head === null) throw new Error("No stream is free");
    for (const line of browserLines) head.line(line);
    connection.request(listener, METHOD.get, true);
  });
  socket.destroy();
  server.close();
  return cost;
}

async function measureNode(): Promise<number> {
  const response = Object.fromEntries(answer);
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond(response);
    stream.end(body);
  });
  const session = connectHttp2(`http://127.0.0.1:${await listen(server)}`);
  const request = Object.fromEntries(browser);
  request[":authority"] = text(":authority");
  const cost = await requestCost((done) => {
    const stream = session.request(request);
    stream.resume();
    stream.on("end", done);
  });
  session.destroy();
  server.close();
  return cost;
}

async function main(): Promise<void> {
  measureHeads();
  measureConnections();
  for (let round = 0; round < 3; round += 1) {
    const [ours, node] = [await measureOurs(), await measureNode()];
    const ratio = (ours / node).toFixed(2);
    process.stdout.write(
      `over loopback, both ends, CPU us a request: ${ours.toFixed(1)} ours, ${node.toFixed(1)} node:http2 (${ratio})\n`,
    );
  }
  if (sink === 0) process.stdout.write("nothing was measured\n");
}

await main();
