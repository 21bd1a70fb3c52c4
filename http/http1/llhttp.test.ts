// Our parser beside Node's (llhttp): whatever we accept and pass on, it must accept with the same
// meaning, or a request would be one thing to the sidecar and another to the application.
import { METHODS, createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { Duplex } from "node:stream";
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryChunked, arbitraryRequest, mutated } from "#/test/kit/http1-arbitrary.ts";
import { understand } from "#/test/kit/understood.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";

interface Reading {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly body: string;
}

/** A connection without a network: what is pushed is what the server reads. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

/** What llhttp makes of the first request in `bytes`, or the code of its error. */
function readByNode(server: Server, bytes: Buffer): Promise<Reading | string> {
  const wire = new Wire();
  return new Promise((resolve) => {
    const settle = (reading: Reading | string): void => {
      server.removeAllListeners();
      wire.destroy();
      resolve(reading);
    };
    const onRequest = (request: IncomingMessage): void => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("error", () => settle("aborted"));
      request.on("end", () =>
        settle({
          method: request.method ?? "",
          target: request.url ?? "",
          fields: request.rawHeaders,
          body: Buffer.concat(parts).toString("latin1"),
        }),
      );
    };
    server.on("request", onRequest);
    server.on("checkContinue", onRequest);
    server.on("checkExpectation", onRequest);
    server.on("upgrade", (request) => {
      const { method = "", url = "", rawHeaders } = request;
      settle({ method, target: url, fields: rawHeaders, body: "" });
    });
    server.on("clientError", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    // CONNECT without a listener, for one, is answered by closing.
    wire.on("close", () => settle("closed"));
    connectWire(server, wire);
    wire.push(bytes);
    wire.push(null);
  });
}

const connectListeners = new WeakMap<Server, (wire: Wire) => void>();

function connectWire(server: Server, wire: Wire): void {
  connectListeners.get(server)!.call(server, wire);
}

function nodeServer(): Server {
  const server = createServer({ insecureHTTPParser: false, keepAlive: false });
  const [connect] = server.listeners("connection");
  connectListeners.set(server, connect as unknown as (wire: Wire) => void);
  server.removeAllListeners();
  return server;
}

/** What we make of the first request in `bytes` and would send on; null when refused or unfinished. */
function readByUs(bytes: Buffer): { readonly reading: Reading; readonly sent: Buffer } | null {
  const [first] = understand(bytes).requests;
  if (first === undefined) return null;
  const { method, target, fields, body } = first;
  return { reading: { method, target, fields, body }, sent: first.bytes };
}

interface Comparison {
  readonly compared: boolean;
  /** Empty when both agree. */
  readonly fault: string;
}

/** llhttp knows a fixed list of methods: requests with others are not compared. */
async function compare(server: Server, bytes: Buffer): Promise<Comparison> {
  const ours = readByUs(bytes);
  if (ours === null || !METHODS.includes(ours.reading.method))
    return { compared: false, fault: "" };
  const theirs = await readByNode(server, ours.sent);
  if (JSON.stringify(theirs) === JSON.stringify(ours.reading)) return { compared: true, fault: "" };
  const fault = JSON.stringify({ bytes: bytes.toString("latin1"), ours: ours.reading, theirs });
  return { compared: true, fault };
}

const bodies = ["", "hello", "5\r\nhello\r\n0\r\n\r\n", "0\r\nX-A: b\r\n\r\n"];

test("llhttp reads each accepted vector as we do", async (t) => {
  const server = nodeServer();
  const accepted = readVectors("http1/request-accepted.json") as readonly { bytes: string }[];
  const chunked = readVectors("http1/chunked.json") as readonly { bytes: string }[];
  const post = "POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";
  const texts = [
    ...accepted.flatMap(({ bytes }) => bodies.map((body) => bytes + body)),
    ...chunked.map(({ bytes }) => post + bytes),
  ];
  let compared = 0;
  for (const text of texts) {
    const result = await compare(server, bytesOf(text));
    t.is(result.fault, "");
    if (result.compared) compared += 1;
  }
  t.true(compared > 100, `${compared} compared`);
});

test("llhttp refuses what smuggles, too, and where it does not we do", async (t) => {
  const server = nodeServer();
  const refused = readVectors("http1/request-refused.json") as readonly { bytes: string }[];
  let both = 0;
  for (const { bytes } of refused) {
    t.is(readByUs(bytesOf(bytes)), null);
    if (typeof (await readByNode(server, bytesOf(bytes))) === "string") both += 1;
  }
  t.log(`llhttp refuses ${both} of the ${refused.length} vectors we refuse`);
  t.true(both > refused.length / 3);
});

test("llhttp property: what we accept and send on, it accepts with the same meaning", async (t) => {
  const server = nodeServer();
  const vectors = readVectors("http1/request-accepted.json") as readonly { bytes: string }[];
  const refused = readVectors("http1/request-refused.json") as readonly { bytes: string }[];
  const vector = fc.constantFrom(...vectors, ...refused).map(({ bytes }) => bytes);
  const head = fc.oneof(arbitraryRequest, mutated(arbitraryRequest), mutated(vector));
  const chunkedHead = fc.constant(
    "POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const body = fc.oneof(fc.constantFrom(...bodies), arbitraryChunked, mutated(arbitraryChunked));
  const chunked = fc.oneof(arbitraryChunked, mutated(arbitraryChunked));
  const message = fc.oneof(
    fc.tuple(head, body).map((parts) => parts.join("")),
    fc.tuple(chunkedHead, chunked).map((parts) => parts.join("")),
  );
  let tried = 0;
  let compared = 0;
  const options = fuzzOptions(t, 2000);
  await fc.assert(
    fc.asyncProperty(message, async (text) => {
      tried += 1;
      const result = await compare(server, bytesOf(text));
      t.is(result.fault, "");
      if (result.compared) compared += 1;
    }),
    options,
  );
  t.log(`${compared} of ${tried} were accepted and compared`);
  t.true(compared > tried / 10);
});
