// Micro benchmark of the translation between HTTP/1.1 and HTTP/2, some seconds: `node bench/micro/translate.ts`. Prints
// the best of several rounds per call in CPU time, which is least disturbed by other work on the machine.
import { METHOD } from "#/http/http1/method.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import { ResponseHead } from "#/http/http1/response-head.ts";
import { linesOf } from "#/http/http1/writer.ts";
import { HpackDecoder } from "#/http/http2/hpack-decoder.ts";
import { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { RequestFields } from "#/http/http2/request-fields.ts";
import { ResponseFields } from "#/http/http2/response-fields.ts";
import { chunkOf } from "#/http/translate/chunk.ts";
import { ChunkedContent } from "#/http/translate/chunked-content.ts";
import { LineCache } from "#/http/translate/line-cache.ts";
import { encodeRequest } from "#/http/translate/request-block.ts";
import { requestBody, requestHead1 } from "#/http/translate/request-head.ts";
import { encodeResponse } from "#/http/translate/response-block.ts";
import { responseBody, responseHead1 } from "#/http/translate/response-head.ts";

const CALLS = 50_000;
const ROUNDS = 12;
/** Blocks that are decoded in turn. */
const BLOCKS = 128;
/** What varies from message to message. */
const PLACE = "qqqqqqqq";

const small = ["Host: app-b.app-b.svc.cluster.local", "Accept: */*"];
const client = [
  "Host: orders.shop.svc.cluster.local",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
  "Accept: application/json, text/plain, */*",
  "Accept-Language: en-GB,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Connection: keep-alive",
  "X-Forwarded-For: 10.1.2.3",
  "X-Forwarded-Proto: https",
  "Sec-Fetch-Mode: cors",
  "Cache-Control: no-cache",
  "DNT: 1",
];
const server = [
  "Server: nginx/1.22.1",
  "Date: Sat, 21 Nov 2026 08:00:00 GMT",
  "Content-Type: application/json; charset=utf-8",
  "Content-Length: 54",
  "Connection: keep-alive",
  "Cache-Control: no-store",
  "Vary: accept-encoding",
];
const identity = linesOf(
  "x-forwarded-client-cert: By=spiffe://a/ns/b/sa/c;URI=spiffe://a/ns/d/sa/e",
);

function head(...lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

let sink = 0;

function measure(name: string, call: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let index = 0; index < CALLS; index += 1) sink += call();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / CALLS);
  }
  process.stdout.write(`${name.padEnd(64)} ${best.toFixed(0).padStart(6)} ns\n`);
}

/** Makes the next message of one that has PLACE in it: other digits there each time. */
class Varying {
  readonly #bytes: Buffer;
  readonly #places: readonly number[];
  #round = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    const places: number[] = [];
    for (let at = bytes.indexOf(PLACE); at >= 0; at = bytes.indexOf(PLACE, at + 1)) places.push(at);
    this.#places = places;
  }

  next(index: number): void {
    this.#round += 1;
    for (const place of this.#places) {
      let rest = Math.imul(this.#round * BLOCKS + index, 0x9e3779b1);
      for (let digit = 0; digit < PLACE.length; digit += 1, rest >>>= 4) {
        this.#bytes[place + digit] = 0x61 + (rest & 15);
      }
    }
  }
}

/** Messages to HTTP/2, then what their reader makes of them, then back to HTTP/1. Each is received anew. */
function measureBoth<Head>(
  name: string,
  bytes: Buffer,
  parse: (bytes: Buffer) => Head,
  encode: (encoder: HpackEncoder, head: Head) => void,
  judge: (decoder: HpackDecoder) => boolean,
  write: () => Buffer | number,
): void {
  const received = Array.from({ length: BLOCKS }, () => {
    const copy = Buffer.from(bytes);
    return { head: parse(copy), varying: new Varying(copy) };
  });
  let at = 0;
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const make = (): number => {
    at = (at + 1) % BLOCKS;
    const { head, varying } = received[at]!;
    varying.next(at);
    encoder.begin();
    encode(encoder, head);
    return encoder.length;
  };
  for (let index = 0; index < 512; index += 1) {
    make();
    decoder.decode(encoder.bytes, 0, encoder.length);
  }
  const blocks = Array.from({ length: BLOCKS }, () => {
    make();
    return Buffer.from(encoder.bytes.subarray(0, encoder.length));
  });
  measure(`${name} to HTTP/2 (${bytes.length} to ${blocks[0]!.length} bytes)`, make);
  const decode = (): number => {
    const block = blocks[(at = (at + 1) % BLOCKS)]!;
    decoder.decode(block, 0, block.length);
    return judge(decoder) ? 1 : 0;
  };
  measure("  decode and judge it", decode);
  measure("  decode, judge and write it as HTTP/1", () => {
    decode();
    const written = write();
    return typeof written === "number" ? 0 : written.length;
  });
}

function measureRequest(name: string, bytes: Buffer): void {
  const cache = new LineCache();
  const request = new RequestFields();
  measureBoth(
    `request, ${name}`,
    bytes,
    (received) => {
      const head = new RequestHead();
      if (head.parse(received, 0, bytes.length) !== bytes.length) throw new Error("Not a head");
      return head;
    },
    (encoder, head) => encodeRequest(encoder, cache, head, []),
    (decoder) => request.read(decoder.block, true, false) === null,
    () => requestHead1(request, requestBody(request, true), identity),
  );
}

function measureResponse(name: string, bytes: Buffer): void {
  const cache = new LineCache();
  const response = new ResponseFields();
  measureBoth(
    `response, ${name}`,
    bytes,
    (received) => {
      const head = new ResponseHead();
      head.reset(METHOD.get, false);
      if (head.parse(received, 0, bytes.length) !== bytes.length) throw new Error("Not a head");
      return head;
    },
    (encoder, head) => encodeResponse(encoder, cache, head, []),
    (decoder) => response.read(decoder.block, false, METHOD.get) === null,
    () => responseHead1(response, METHOD.get, responseBody(response, 1, false), false),
  );
}

function measureContent(): void {
  const chunks = Buffer.from(
    `${"400\r\n".padEnd(1029, "x")}\r\n`.repeat(8) + "0\r\n\r\n",
    "latin1",
  );
  const chunked = new ChunkedContent((_, start, end) => (sink += end - start));
  const received = Buffer.from(chunks);
  measure("copy of 8 chunks of 1 KiB", () => chunks.copy(received));
  measure("copy of 8 chunks of 1 KiB, and their content", () => {
    chunks.copy(received);
    chunked.reset();
    return chunked.consume(received, 0, received.length);
  });
  for (const length of [54, 1024, 16 * 1024]) {
    const content = Buffer.alloc(length, "x");
    measure(`chunk of ${length} bytes`, () => chunkOf(content).length);
  }
}

function main(): void {
  const get = "GET /api/v2/orders/4711?expand=items HTTP/1.1";
  const path = `GET /api/v2/orders/${PLACE}?expand=items HTTP/1.1`;
  const identifier = `X-Request-Id: ${PLACE}-7a86-4e0b-9df8-1f4a${PLACE}`;
  const cookie = `Cookie: session=${PLACE}d0a7be2; theme=dark`;
  measureRequest("2 fields", head("GET /hello HTTP/1.1", ...small));
  measureRequest("11 known fields", head(get, ...client));
  measureRequest("12, one varies", head(get, ...client, identifier));
  measureRequest("13, one varies, a cookie", head(get, ...client, identifier, cookie));
  measureRequest("12, one and the path vary", head(path, ...client, identifier));
  measureResponse("7 known fields", head("HTTP/1.1 200 OK", ...server));
  measureResponse("8, one varies", head("HTTP/1.1 200 OK", ...server, identifier));
  measureContent();
  if (sink === 0) process.stdout.write("nothing was measured\n");
}

main();
