import test from "ava";
import type { Field } from "#/test/kit/header-fields.ts";
import { judgedRequest, linesOrReason, unjudgedRequest } from "#/test/kit/translated.ts";
import { readVectors } from "#/test/kit/vectors.ts";
import { BODY } from "../http1/framing.ts";
import { linesOf } from "../http1/writer.ts";
import { requestBody, requestHead1 } from "./request-head.ts";

const pseudo: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "b"],
  [":path", "/a?c=%2F"],
];

function sent(fields: readonly Field[], last = true): readonly string[] | string {
  const request = judgedRequest(fields, last);
  if (typeof request === "string") throw new Error(`Refused: ${request}`);
  return linesOrReason(requestHead1(request, requestBody(request, last), null));
}

const withMethod = (method: string, ...more: readonly Field[]): Field[] => [
  [":method", method],
  ...pseudo.slice(1),
  ...more,
];

test("request head has request line, host and the fields in their order", (t) => {
  t.deepEqual(sent([...pseudo, ["x-a", "1"], ["accept", "a, b"], ["x-a", "2"], ["d", ""]]), [
    "GET /a?c=%2F HTTP/1.1",
    "host: b",
    "x-a: 1",
    "accept: a, b",
    "x-a: 2",
    "d: ",
  ]);
  t.deepEqual(sent(withMethod("PURGE")), ["PURGE /a?c=%2F HTTP/1.1", "host: b"]);
});

test("request head has what was added at its end", (t) => {
  const request = judgedRequest([...pseudo, ["x-a", "1"]], true);
  if (typeof request === "string") throw new Error(request);
  const proven = linesOf("x-forwarded-client-cert: By=a;URI=b");
  const lines = linesOrReason(requestHead1(request, BODY.none, proven));
  t.deepEqual(lines.slice(2), ["x-a: 1", "x-forwarded-client-cert: By=a;URI=b"]);
});

test("attack-38 attack-39 request head has path and host as they were judged", (t) => {
  const fields: Field[] = [
    ["user-agent", "x"],
    ["host", "B.:80"],
  ];
  t.deepEqual(
    sent([[":method", "GET"], [":scheme", "http"], [":path", "/a/../%62//c?d=//"], ...fields]),
    ["GET /b/c?d=// HTTP/1.1", "host: b:80", "user-agent: x"],
  );
  const all: Field[] = [[":method", "OPTIONS"], pseudo[1]!, pseudo[2]!, [":path", "*"]];
  t.deepEqual(sent(all), ["OPTIONS * HTTP/1.1", "host: b"]);
});

test("attack-39 request head says the host once", (t) => {
  t.deepEqual(sent([...pseudo, ["host", "B"], ["x-a", "1"]]), [
    "GET /a?c=%2F HTTP/1.1",
    "host: b",
    "x-a: 1",
  ]);
});

test("attack-36 request head has no claim of identity, in any spelling", (t) => {
  const claims: Field[] = [
    ["x-signet-peer", "x"],
    ["x_signet_peer", "x"],
    ["x-forwarded-client-cert", "x"],
    ["x_forwarded_client_cert", "x"],
    ["l5d-client-id", "x"],
    ["http2-settings", "AAMA"],
    ["x-a", "1"],
  ];
  t.deepEqual(sent([...pseudo, ...claims]).slice(2), ["x-a: 1"]);
});

test("request head has all cookies in one line", (t) => {
  const cookies: Field[] = [
    ["cookie", "a=b"],
    ["x-a", "1"],
    ["cookie", "c=d; e=f"],
    ["cookie", ""],
    ["cookie", "g"],
  ];
  t.deepEqual(sent([...pseudo, ...cookies]).slice(2), ["cookie: a=b; c=d; e=f; g", "x-a: 1"]);
  t.deepEqual(sent([...pseudo, cookies[0]!]).slice(2), ["cookie: a=b"]);
  t.deepEqual(sent([...pseudo, cookies[3]!, cookies[3]!]).slice(2), ["cookie: "]);
});

test("attack-42 request head frames content in one way", (t) => {
  const length: Field = ["content-length", "5"];
  const none: Field = ["content-length", "0"];
  t.deepEqual(sent(withMethod("POST", length), false).slice(2), ["content-length: 5"]);
  t.deepEqual(sent(withMethod("POST"), false).slice(2), ["transfer-encoding: chunked"]);
  t.deepEqual(sent(withMethod("GET"), false).slice(2), ["transfer-encoding: chunked"]);
  t.deepEqual(sent(withMethod("POST", none), false).slice(2), ["content-length: 0"]);
  t.deepEqual(sent(withMethod("POST", none), true).slice(2), ["content-length: 0"]);
  for (const method of ["POST", "PUT", "PATCH"]) {
    t.deepEqual(sent(withMethod(method), true).slice(2), ["content-length: 0"]);
  }
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS"]) {
    t.deepEqual(sent(withMethod(method), true).slice(2), []);
  }
});

test("request head keeps TE for trailers, and an expectation that is known", (t) => {
  const fields: Field[] = [
    ["te", "trailers"],
    ["trailer", "x-b"],
    ["expect", "100-Continue"],
    ["content-length", "5"],
  ];
  t.deepEqual(sent(withMethod("POST", ...fields), false).slice(2), [
    "te: trailers",
    "trailer: x-b",
    "expect: 100-Continue",
    "content-length: 5",
  ]);
});

test("attack-44 request head is none of a CONNECT", (t) => {
  const extended: Field[] = [...withMethod("CONNECT"), [":protocol", "websocket"]];
  t.is(sent(extended, false), "connect_refused");
  t.is(
    sent(
      [
        [":method", "CONNECT"],
        [":authority", "b:1"],
      ],
      false,
    ),
    "connect_refused",
  );
});

interface Downgrade {
  readonly attack: number;
  readonly name: string;
  readonly fields: readonly Field[];
  readonly last: boolean;
  readonly fault: string | null;
  readonly without: string | null;
}

for (const vector of readVectors("translate/downgrade.json") as readonly Downgrade[]) {
  const { attack, name, fields, last, fault, without } = vector;
  test(`attack-${attack} request head is none of ${name}`, (t) => {
    const judged = judgedRequest(fields, last);
    if (fault === null) t.is(sent(fields, last), without!);
    else t.is(typeof judged === "string" ? judged : "taken", fault);
    if (without === null) return;
    const request = unjudgedRequest(fields)!;
    t.is(linesOrReason(requestHead1(request, requestBody(request, last), null)), without);
  });
}
