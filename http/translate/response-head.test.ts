import test from "ava";
import type { Field } from "#/test/kit/header-fields.ts";
import { blockOf, judgedResponse, linesOrReason } from "#/test/kit/translated.ts";
import { BODY } from "../http1/framing.ts";
import { METHOD } from "../http1/method.ts";
import type { MethodCode } from "../http1/method.ts";
import { ResponseFields } from "../http2/response-fields.ts";
import { responseBody, responseHead1 } from "./response-head.ts";

interface Asked {
  readonly last?: boolean;
  readonly method?: MethodCode;
  readonly minor?: 0 | 1;
  readonly closes?: boolean;
}

function sent(fields: readonly Field[], asked: Asked = {}): readonly string[] | string {
  const { last = false, method = METHOD.get, minor = 1, closes = false } = asked;
  const response = judgedResponse(fields, last, method);
  if (typeof response === "string") throw new Error(`Refused: ${response}`);
  const body = responseBody(response, minor, last);
  return linesOrReason(responseHead1(response, method, body, closes));
}

const status = (code: string): Field => [":status", code];
const length: Field = ["content-length", "5"];
const start = ["HTTP/1.1 200 OK", "server: signet"];

test("response head has status line, our Server and the fields in their order", (t) => {
  const fields: Field[] = [
    ["server", "nginx"],
    ["set-cookie", "a=b"],
    length,
    ["set-cookie", "c=d"],
    ["x-signet-peer", "x"],
    ["te", "trailers"],
    ["trailer", "x-b"],
  ];
  const lines = ["set-cookie: a=b", "content-length: 5", "set-cookie: c=d", "trailer: x-b"];
  t.deepEqual(sent([status("200"), ...fields]), [...start, ...lines]);
  t.is(sent([status("599")], { last: true })[0], "HTTP/1.1 599 ");
  t.is(sent([status("404")], { last: true })[0], "HTTP/1.1 404 Not Found");
});

test("attack-42 response head frames content in one way", (t) => {
  const ok = status("200");
  t.deepEqual(sent([ok, length]), [...start, "content-length: 5"]);
  t.deepEqual(sent([ok]), [...start, "transfer-encoding: chunked"]);
  t.deepEqual(sent([ok], { minor: 0 }), [...start, "connection: close"]);
  t.deepEqual(sent([ok, length], { minor: 0 }), [...start, "content-length: 5"]);
  t.deepEqual(sent([ok], { last: true }), [...start, "content-length: 0"]);
  t.deepEqual(sent([ok, ["content-length", "0"]], { last: true }), [...start, "content-length: 0"]);
  t.deepEqual(sent([ok, ["content-length", "0"]]), [...start, "content-length: 0"]);
});

test("response head says close when it is asked for", (t) => {
  const lines = [...start, "content-length: 5", "connection: close"];
  t.deepEqual(sent([status("200"), length], { closes: true }), lines);
  t.deepEqual(sent([status("200")], { minor: 0, closes: true }), [...start, "connection: close"]);
});

test("response head to HEAD and of 304 says no length that was not said", (t) => {
  const head = { method: METHOD.head };
  t.deepEqual(sent([status("200")], head), start);
  t.deepEqual(sent([status("200")], { ...head, last: true }), start);
  t.deepEqual(sent([status("200"), length], head), [...start, "content-length: 5"]);
  const same = ["HTTP/1.1 304 Not Modified", "server: signet"];
  t.deepEqual(sent([status("304")], { last: true }), same);
  t.deepEqual(sent([status("304"), length], { last: true }), [...same, "content-length: 5"]);
});

test("attack-42 response head of 1xx and 204 says no length at all", (t) => {
  const none: Field = ["content-length", "0"];
  const empty = ["HTTP/1.1 204 No Content", "server: signet"];
  t.deepEqual(sent([status("204"), none], { last: true }), empty);
  t.deepEqual(sent([status("204")]), empty);
  const early = ["HTTP/1.1 103 Early Hints", "server: signet", "link: a"];
  t.deepEqual(sent([status("103"), ["link", "a"], none]), early);
});

const faults: readonly (readonly [string, Field, string])[] = [
  ["CRLF in a value", ["x-a", "1\r\n\r\nHTTP/1.1 200 OK"], "control_byte"],
  ["LF in a value", ["x-a", "1\nx"], "control_byte"],
  ["NUL in a value", ["x-a", "\0"], "control_byte"],
  ["CRLF in a name", ["x\r\ny", "1"], "bad_field_name"],
  ["a colon in a name", ["x:y", "1"], "bad_field_name"],
  ["upper case in a name", ["X-A", "1"], "bad_field_name"],
  ["Transfer-Encoding", ["transfer-encoding", "chunked"], "bad_connection"],
  ["Connection", ["connection", "keep-alive"], "bad_connection"],
  ["Upgrade", ["upgrade", "websocket"], "bad_connection"],
  ["a length beside chunks", length, "ambiguous_framing"],
];

for (const [name, field, reason] of faults) {
  test(`attack-43 response head is none of ${name}`, (t) => {
    const fields = [status("200"), field];
    if (field !== length) t.is(typeof judgedResponse(fields, false), "string");
    // As if the codec had let it through.
    const response = new ResponseFields();
    response.fields = blockOf(fields);
    response.status = 200;
    t.is(linesOrReason(responseHead1(response, METHOD.get, BODY.chunked, false)), reason);
  });
}
