// Our parser beside Node's (llhttp): whatever we accept and pass on, it must accept with the same
// meaning, or a request would be one thing to the sidecar and another to the application.
import { METHODS, createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { Duplex } from "node:stream";
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryChunked, arbitraryRequest, mutated } from "#/test/kit/http1-arbitrary.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";
import { ChunkedScanner } from "./chunked.ts";
import { FIELD_STRIDE } from "./field-index.ts";
import { BODY } from "./framing.ts";
import { RequestHead } from "./request-head.ts";
import { requestBytes } from "./writer.ts";

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
  const head = new RequestHead();
  const headEnd = head.parse(bytes, 0, bytes.length);
  if (headEnd < 0) return null;
  const body = bodyOf(head, bytes, headEnd);
  if (body === null) return null;
  const headSent = requestBytes(head, null);
  const sentHead = new RequestHead();
  sentHead.parse(headSent, 0, headSent.length);
  const { fields } = sentHead;
  const received: string[] = [];
  for (let field = 0; field < fields.count; field += 1) {
    const slot = field * FIELD_STRIDE;
    const text = (at: number): string =>
      headSent.toString("latin1", fields.offsets[slot + at], fields.offsets[slot + at + 1]);
    received.push(text(0), text(2));
  }
  const target = headSent.toString("latin1", sentHead.line.targetStart, sentHead.line.targetEnd);
  const method = head.methodText;
  const reading = { method, target, fields: received, body: body.content };
  return { reading, sent: Buffer.concat([headSent, bytes.subarray(headEnd, body.end)]) };
}

/** The content of the body and where it ends; null when refused or unfinished. */
function bodyOf(
  head: RequestHead,
  bytes: Buffer,
  start: number,
): { readonly content: string; readonly end: number } | null {
  if (head.bodyKind === BODY.none) return { content: "", end: start };
  if (head.bodyKind === BODY.length) {
    const end = start + head.contentLength;
    return end > bytes.length ? null : { content: bytes.toString("latin1", start, end), end };
  }
  const scanner = new ChunkedScanner();
  const count = scanner.consume(bytes, start, bytes.length);
  if (count < 0 || !scanner.done) return null;
  const content = unchunk(bytes.toString("latin1", start, start + count));
  if (content.length !== scanner.contentBytes) throw new Error("Content was counted wrongly");
  return { content, end: start + count };
}

/** Content of a chunked body that is known to be well formed. */
function unchunk(text: string): string {
  let rest = text;
  let content = "";
  for (;;) {
    const lineEnd = rest.indexOf("\r\n");
    const size = Number.parseInt(rest, 16);
    if (size === 0) return content;
    content += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    rest = rest.slice(lineEnd + 2 + size + 2);
  }
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
  let compared = 0;
  const options = fuzzOptions(t, 2000);
  await fc.assert(
    fc.asyncProperty(message, async (text) => {
      const result = await compare(server, bytesOf(text));
      t.is(result.fault, "");
      if (result.compared) compared += 1;
    }),
    options,
  );
  t.log(`${compared} of ${options.numRuns} were accepted and compared`);
  t.true(compared > options.numRuns / 10);
});
