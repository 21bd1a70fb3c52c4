// Messages with bytes changed: what we would send on of them must be the same one message to llhttp and to
// the grammar, and nothing beside.
import { METHODS, createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { Duplex } from "node:stream";
import test from "ava";
import { mutate } from "#/test/kit/byte-mutator.ts";
import { fuzzRounds } from "#/test/kit/fuzz.ts";
import { chunks } from "#/test/kit/hostile/chunks.ts";
import { fields } from "#/test/kit/hostile/fields.ts";
import { framing } from "#/test/kit/hostile/framing.ts";
import { lines } from "#/test/kit/hostile/lines.ts";
import { paths } from "#/test/kit/hostile/paths.ts";
import { responses } from "#/test/kit/hostile/responses.ts";
import { readRequest, readResponse } from "#/test/kit/http1-grammar.ts";
import { understand, understandResponse } from "#/test/kit/understood.ts";
import type { SentRequest } from "#/test/kit/understood.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";

const vectors = (file: string, before = "", after = ""): readonly Buffer[] =>
  (readVectors(`http1/${file}.json`) as readonly { bytes: string }[]).map(({ bytes }) =>
    bytesOf(before + bytes + after),
  );

const post = "POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";
const own = [framing, chunks, lines, fields, paths].flat();
const passing = own.filter(({ passes }) => passes > 0).map(({ bytes }) => bytesOf(bytes));

const requests: readonly Buffer[] = [
  ...own.map(({ bytes }) => bytesOf(bytes)),
  // The others are mostly refused whatever is changed.
  ...Array.from({ length: 4 }, () => passing).flat(),
  ...vectors("request-accepted", "", "5\r\nhello\r\n0\r\n\r\n"),
  ...vectors("request-accepted"),
  ...vectors("chunked", post),
];

for (const [table, cases] of Object.entries({ framing, chunks, lines, fields, paths })) {
  test(`attacks of the table "${table}" are understood as it says`, (t) => {
    for (const { name, bytes, passes } of cases) {
      const { length } = understand(bytesOf(bytes)).requests;
      // A path that no policy admits may be passed on to one that it does.
      if (cases === paths && passes === 0) t.true(length <= 1, name);
      else t.is(length, passes, name);
    }
  });
}

test("mutation property: what is sent on is one request to llhttp and to the grammar", async (t) => {
  const server = nodeServer();
  let compared = 0;
  const runs = await fuzzRounds(t, 4000, async (random) => {
    const mutant = mutate(requests, random);
    for (const request of understand(mutant).requests) {
      const expected = JSON.stringify([request.fields, request.body]);
      const read = readRequest(request.bytes.toString("latin1"));
      const startLine = `${request.method} ${request.target} `;
      const same =
        read !== null &&
        read.rest === "" &&
        read.startLine.startsWith(startLine) &&
        JSON.stringify([read.fields, read.body]) === expected;
      const fault = JSON.stringify({ mutant: mutant.toString("latin1"), request, read });
      if (!same) t.fail(fault);
      compared += 1;
      if (!METHODS.includes(request.method) || request.method === "CONNECT") continue;
      // After HTTP/1.0 nothing may follow, and after an upgrade Node reads on from sockets alone.
      const isLast = read!.startLine.endsWith("1.0") || request.fields.includes("websocket");
      const followers = isLast ? [] : [sentinel];
      const byNode = await readByNode(server, request, followers.length + 1);
      if (byNode !== JSON.stringify([asRead(request), ...followers])) t.fail(`${byNode} ${fault}`);
    }
  });
  t.log(`${compared} requests of ${runs} messages were compared`);
  t.true(compared > runs / 10);
});

test("mutation property: a response that is sent on is one response to the grammar", async (t) => {
  const ok = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const corpus = [
    ...responses.map(({ bytes }) => bytesOf(bytes)),
    ...vectors("response", "", "5\r\nhello\r\n0\r\n\r\n"),
    ...vectors("chunked", ok),
  ];
  let compared = 0;
  const runs = await fuzzRounds(t, 4000, (random) => {
    const mutant = mutate(corpus, random);
    const response = understandResponse(mutant);
    if (response === null) return;
    compared += 1;
    const read = readResponse(response.bytes.toString("latin1"));
    const same =
      read !== null &&
      read.rest === "" &&
      JSON.stringify([read.fields, read.body]) === JSON.stringify([response.fields, response.body]);
    if (!same) t.fail(JSON.stringify({ mutant: mutant.toString("latin1"), response, read }));
  });
  t.log(`${compared} responses of ${runs} messages were compared`);
  t.true(compared > runs / 10);
});

interface Reading {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly body: string;
}

/** Follows each request: whoever misses its end reads this one wrongly, or not at all. */
const sentinel: Reading = { method: "GET", target: "/sentinel", fields: ["Host", "s"], body: "" };
const sentinelBytes = bytesOf("GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n");

/** It has all that comes: whoever waits longer waits for more. */
const silenceMsMax = 2000;

function asRead({ method, target, fields: names, body }: SentRequest): Reading {
  return { method, target, fields: names, body };
}

/** A connection without a network: what is pushed is what the server reads. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

/** The first `count` requests that llhttp reads, as JSON, or the code of its error. */
function readByNode(server: NodeReader, { bytes }: SentRequest, count: number): Promise<string> {
  const wire = new Wire();
  const readings: Reading[] = [];
  return new Promise((resolve) => {
    const settle = (text: string): void => {
      clearTimeout(silence);
      server.http.removeAllListeners();
      wire.destroy();
      resolve(text);
    };
    const silence = setTimeout(() => settle(`silent ${JSON.stringify(readings)}`), silenceMsMax);
    server.http.on("request", (request: IncomingMessage, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("error", () => settle("aborted"));
      request.on("end", () => {
        const { method = "", url = "", rawHeaders } = request;
        const body = Buffer.concat(parts).toString("latin1");
        readings.push({ method, target: url, fields: rawHeaders, body });
        if (readings.length === count) settle(JSON.stringify(readings));
        else response.end();
      });
    });
    server.http.on("clientError", (error: NodeJS.ErrnoException) =>
      settle(`${error.code} ${JSON.stringify(readings)}`),
    );
    wire.on("close", () => settle(`closed ${JSON.stringify(readings)}`));
    server.connect(wire);
    wire.push(count === 1 ? bytes : Buffer.concat([bytes, sentinelBytes]));
  });
}

interface NodeReader {
  readonly http: Server;
  readonly connect: (wire: Wire) => void;
}

function nodeServer(): NodeReader {
  const http = createServer({ insecureHTTPParser: false });
  const [connect] = http.listeners("connection");
  http.removeAllListeners();
  const listener = connect as unknown as (this: Server, wire: Wire) => void;
  return { http, connect: (wire) => listener.call(http, wire) };
}
