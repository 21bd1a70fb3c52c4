// Responses beside Node's client (llhttp): what we pass on to a client must be one response to it, with
// the body where we saw it.
import { request } from "node:http";
import { Duplex } from "node:stream";
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryChunked, arbitraryResponse, mutated } from "#/test/kit/http1-arbitrary.ts";
import { understandResponse } from "#/test/kit/understood.ts";
import { bytesOf, readVectors } from "#/test/kit/vectors.ts";

interface Reading {
  readonly status: number;
  readonly bodyBytes: number;
}

/** What Node's client makes of `bytes` as the answer to a GET, or the code of its error. */
function readByNode(bytes: Buffer): Promise<Reading | string> {
  const wire = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done();
    },
  });
  return new Promise((resolve) => {
    const settle = (reading: Reading | string): void => {
      resolve(reading);
      wire.destroy();
    };
    const asked = request({ createConnection: () => wire, host: "b", path: "/" });
    asked.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    asked.on("response", (response) => {
      let bodyBytes = 0;
      response.on("data", (part: Buffer) => (bodyBytes += part.length));
      response.on("error", () => settle("aborted"));
      response.on("end", () => settle({ status: response.statusCode ?? 0, bodyBytes }));
    });
    asked.on("socket", () => {
      wire.push(bytes);
      wire.push(null);
    });
    asked.end();
  });
}

/** What we make of it and would send on; null when refused, unfinished, or not the final response. */
function readByUs(bytes: Buffer): { readonly reading: Reading; readonly sent: Buffer } | null {
  const response = understandResponse(bytes);
  if (response === null) return null;
  const { status, body } = response;
  return { reading: { status, bodyBytes: body.length }, sent: response.bytes };
}

async function compare(bytes: Buffer): Promise<{ compared: boolean; fault: string }> {
  const ours = readByUs(bytes);
  if (ours === null) return { compared: false, fault: "" };
  const theirs = await readByNode(ours.sent);
  const same = JSON.stringify(theirs) === JSON.stringify(ours.reading);
  const fault = { bytes: bytes.toString("latin1"), ours: ours.reading, theirs };
  return { compared: true, fault: same ? "" : JSON.stringify(fault) };
}

const vectors = readVectors("http1/response.json") as readonly { bytes: string; reason?: string }[];

test("llhttp reads each accepted response vector as we do", async (t) => {
  let compared = 0;
  for (const { bytes } of vectors) {
    for (const body of ["", "hello", "5\r\nhello\r\n0\r\n\r\n"]) {
      const result = await compare(bytesOf(bytes + body));
      t.is(result.fault, "");
      if (result.compared) compared += 1;
    }
  }
  t.true(compared > 20, `${compared} compared`);
});

test("llhttp property: a response that we pass on is one response to it, too", async (t) => {
  const vector = fc.constantFrom(...vectors).map(({ bytes }) => bytes);
  const head = fc.oneof(arbitraryResponse, mutated(arbitraryResponse), mutated(vector));
  const body = fc.oneof(fc.constantFrom("", "hello"), arbitraryChunked, mutated(arbitraryChunked));
  let tried = 0;
  let compared = 0;
  const options = fuzzOptions(t, 500);
  await fc.assert(
    fc.asyncProperty(head, body, async (front, rest) => {
      tried += 1;
      const result = await compare(bytesOf(front + rest));
      t.is(result.fault, "");
      if (result.compared) compared += 1;
    }),
    options,
  );
  t.log(`${compared} of ${tried} were accepted and compared`);
  t.true(compared > tried / 10);
});
