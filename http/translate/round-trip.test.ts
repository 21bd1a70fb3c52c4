import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { fieldsOf } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { arbitraryRequest, arbitraryResponse } from "#/test/kit/http1-arbitrary.ts";
import { oddRequest, oddResponse } from "#/test/kit/http2-fields-arbitrary.ts";
import { readRequest, readResponse } from "#/test/kit/http1-grammar.ts";
import {
  judgedRequest,
  judgedResponse,
  requestOf,
  responseOf,
  unjudgedRequest,
} from "#/test/kit/translated.ts";
import { readVectors } from "#/test/kit/vectors.ts";
import { textOf } from "../http1/bytes.ts";
import { FIELD_STRIDE } from "../http1/field-index.ts";
import type { FieldIndex } from "../http1/field-index.ts";
import { BODY } from "../http1/framing.ts";
import type { BodyKind } from "../http1/framing.ts";
import { METHOD } from "../http1/method.ts";
import { MORE } from "../http1/refusal.ts";
import { RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { requestBytes, responseBytes } from "../http1/writer.ts";
import { HpackDecoder } from "../http2/hpack-decoder.ts";
import { HpackEncoder } from "../http2/hpack-encoder.ts";
import { RequestFields } from "../http2/request-fields.ts";
import { ResponseFields } from "../http2/response-fields.ts";
import { LAST_CHUNK, chunkOf } from "./chunk.ts";
import { LineCache } from "./line-cache.ts";
import { encodeRequest, requestRefusal } from "./request-block.ts";
import { requestBody, requestHead1 } from "./request-head.ts";
import { encodeResponse, responseRefusal } from "./response-block.ts";
import { responseBody, responseHead1 } from "./response-head.ts";

// One of each for all messages, as a connection has them: what one leaves behind must not be seen in the next.
const cache = new LineCache();
const encoder = new HpackEncoder();
const decoder = new HpackDecoder();

/** What HTTP/2 says in another way or not at all, and what stands elsewhere afterwards. */
const moved = new Set(["host", "connection", "upgrade", "transfer-encoding", "server"]);

/** Names in lower case and values without what moves; all cookies as one, at the end. */
function fieldsIn(index: FieldIndex, buffer: Buffer): Field[] {
  const fields: Field[] = [];
  const cookies: string[] = [];
  for (let field = 0; field < index.count; field += 1) {
    const slot = field * FIELD_STRIDE;
    const name = textOf(buffer, index.offsets[slot]!, index.offsets[slot + 1]!).toLowerCase();
    const value = textOf(buffer, index.valueStart(field), index.valueEnd(field));
    if (name === "cookie") cookies.push(value);
    else if (!moved.has(name)) fields.push([name, value]);
  }
  if (cookies.length === 0) return fields;
  return [...fields, ["cookie", cookies.filter((each) => each !== "").join("; ")]];
}

/** A request through HTTP/2 and back; null where it is refused on the way in. */
function throughHttp2(head: RequestHead): Buffer | null {
  if (requestRefusal(head, []) !== 0) return null;
  encoder.begin();
  encodeRequest(encoder, cache, head, []);
  if (decoder.decode(encoder.bytes, 0, encoder.length) !== 0) throw new Error("No header block");
  const request = new RequestFields();
  const last = head.bodyKind === BODY.none;
  const fault = request.read(decoder.block, last, false);
  if (fault !== null)
    throw new Error(`Refused: ${fault} ${JSON.stringify(fieldsOf(decoder.block))}`);
  const written = requestHead1(request, requestBody(request, last), null);
  if (typeof written === "number") throw new Error(`Refused: ${written}`);
  return Buffer.from(written);
}

interface Equal {
  is(actual: unknown, expected: unknown): unknown;
  deepEqual(actual: unknown, expected: unknown): unknown;
}

/** What arrives must be what HTTP/1 would have brought. */
function sameRequest(t: Equal, text: string): void {
  const head = requestOf(text);
  if (head === null) return;
  const written = throughHttp2(head);
  if (written === null) return;
  const arrived = requestOf(written.toString("latin1"))!;
  t.is(arrived.end, written.length);
  const meaning = (each: RequestHead): readonly unknown[] => [
    each.methodText,
    each.pathText,
    each.queryText,
    each.host.normal,
    each.bodyKind,
    each.contentLength,
  ];
  const direct = requestOf(requestBytes(head, null).toString("latin1"))!;
  t.deepEqual(meaning(arrived), meaning(direct));
  t.is(arrived.newTarget, null);
  t.is(arrived.needsRewrite, false);
  const expects = head.minor === 1;
  const expected = fieldsIn(direct.fields, direct.buffer).filter(
    ([name]) => expects || name !== "expect",
  );
  const sent = fieldsIn(arrived.fields, arrived.buffer);
  // A POST without content says so afterwards.
  const said = sent.length > expected.length ? [["content-length", "0"]] : [];
  t.deepEqual(sorted(sent), sorted([...expected, ...said]));
  if (said.length === 0) t.deepEqual(sent, expected);
}

function sorted(fields: readonly (readonly string[])[]): string[] {
  return fields.map((field) => field.join(": ")).sort();
}

const cookies = fc.array(fc.constantFrom("a=b", "c", ""), { maxLength: 3 });

test("translation of each accepted vector to HTTP/2 and back keeps what it means", (t) => {
  const vectors = readVectors("http1/request-accepted.json") as readonly { bytes: string }[];
  for (const { bytes } of vectors) sameRequest(t, bytes);
  t.true(vectors.length > 10);
});

test("translation property: a request through HTTP/2 and back means the same", (t) => {
  fc.assert(
    fc.property(arbitraryRequest, cookies, (text, values) => {
      const lines = values.map((value) => `Cookie: ${value}\r\n`).join("");
      sameRequest(t, text.replace("\r\n", `\r\n${lines}`));
    }),
    fuzzOptions(t, 2000),
  );
});

test("translation property: a response through HTTP/2 and back means the same", (t) => {
  const methods = fc.constantFrom(METHOD.get, METHOD.head, METHOD.post);
  fc.assert(
    fc.property(arbitraryResponse, methods, fc.constantFrom<0 | 1>(0, 1), (text, method, minor) => {
      const head = responseOf(text, method);
      if (head === null || head.switching || responseRefusal(head, []) !== 0) return;
      encoder.begin();
      encodeResponse(encoder, cache, head, []);
      t.is(decoder.decode(encoder.bytes, 0, encoder.length), 0);
      const response = new ResponseFields();
      const last = head.bodyKind === BODY.none && !head.interim;
      t.is(response.read(decoder.block, last, method), null);
      const body = responseBody(response, minor, last);
      const written = responseHead1(response, method, body, false);
      if (typeof written === "number") throw new Error(`Refused: ${written}`);
      const arrived = responseOf(written.toString("latin1"), method)!;
      t.is(arrived.end, written.length);
      t.is(arrived.status, head.status);
      t.is(arrived.interim, head.interim);
      t.is(arrived.contentLength, head.contentLength);
      t.is(arrived.bodyKind, bodyFor(head, minor));
      t.is(arrived.needsRewrite, body === BODY.close);
      const direct = responseOf(responseBytes(head, null).toString("latin1"), method)!;
      const expected = fieldsIn(direct.fields, direct.buffer);
      const sent = fieldsIn(arrived.fields, arrived.buffer);
      const isLength = ([name]: Field): boolean => name === "content-length";
      t.deepEqual(
        sent.filter((field) => !isLength(field)),
        expected.filter((field) => !isLength(field)),
      );
    }),
    fuzzOptions(t, 2000),
  );
});

/** How content that HTTP/2 brought without a length is framed. */
function bodyFor({ bodyKind }: ResponseHead, minor: 0 | 1): BodyKind {
  if (bodyKind === BODY.none || bodyKind === BODY.length) return bodyKind;
  return minor === 0 ? BODY.close : BODY.chunked;
}

/** The message that a head begins, its content framed as it says. */
function message(head: Buffer, body: BodyKind, length: number): string {
  const content = Buffer.from("GET / HTTP/1.1\r\nHost: b\r\n\r\n", "latin1");
  const framed = {
    [BODY.none]: [],
    [BODY.length]: [Buffer.alloc(Math.max(length, 0), "x")],
    [BODY.chunked]: [chunkOf(content), LAST_CHUNK],
    [BODY.close]: [content],
  }[body];
  return Buffer.concat([head, ...framed]).toString("latin1");
}

test("attack-42 attack-43 translation property: no fields make two requests, whoever let them through", (t) => {
  let written = 0;
  fc.assert(
    fc.property(oddRequest, fc.boolean(), fc.boolean(), (fields, last, judged) => {
      const request = judged ? judgedRequest(fields, last) : unjudgedRequest(fields);
      if (request === null || typeof request === "string") return;
      const body = requestBody(request, last);
      const head = requestHead1(request, body, null);
      if (typeof head === "number") return;
      written += 1;
      const reader = new RequestHead();
      const after = reader.parse(head, 0, head.length);
      // What the codec would have refused may be refused by whoever reads it, but is one head at most.
      t.true(after === head.length || (!judged && after < MORE));
      if (after !== head.length) return;
      t.is(reader.bodyKind, body);
      if (request.contentLength > 100) return;
      t.is(readRequest(message(head, body, request.contentLength))?.rest, "");
    }),
    fuzzOptions(t, 4000),
  );
  t.true(written > 20, `${written} heads were written`);
});

test("attack-43 translation property: no fields make two responses", (t) => {
  let written = 0;
  fc.assert(
    fc.property(oddResponse, fc.boolean(), (fields, last) => {
      const response = judgedResponse(fields, last);
      if (typeof response === "string") return;
      const body = responseBody(response, 1, last);
      const head = responseHead1(response, METHOD.get, body, false);
      if (typeof head === "number") return;
      written += 1;
      const arrived = responseOf(head.toString("latin1"))!;
      t.is(arrived.end, head.length);
      t.is(arrived.bodyKind, body);
      const length = Math.max(response.contentBytes, 0);
      if (length > 100) return;
      t.is(readResponse(message(head, body, length))?.rest, "");
    }),
    fuzzOptions(t, 4000),
  );
  t.true(written > 20, `${written} heads were written`);
});

test("translation writes into no message what another one left behind", (t) => {
  // The same cache and encoder as above, which have seen thousands of lines by now.
  const text = "GET /a HTTP/1.1\r\nHost: b\r\nX-A: 1\r\n\r\n";
  const written = throughHttp2(requestOf(text)!);
  t.is(written?.toString("latin1"), "GET /a HTTP/1.1\r\nhost: b\r\nx-a: 1\r\n\r\n");
});
