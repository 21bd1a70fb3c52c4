// A request that came over HTTP/2 can be said again in either protocol, after its fields are gone.
import test from "ava";
import { End } from "#/test/kit/http2-end.ts";
import { ascii } from "#/http/http1/bytes.ts";
import { refusalOf } from "#/http/http1/refusal.ts";
import { linesOf } from "#/http/http1/writer.ts";
import { HpackDecoder } from "#/http/http2/hpack-decoder.ts";
import { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { StreamRequest } from "./stream-request.ts";

const added = linesOf("x-forwarded-client-cert: URI=spiffe://cluster.local/ns/a/sa/a");

function requestOf(path: string, fields: readonly (readonly [string, string])[]) {
  const end = End.server();
  let request: StreamRequest | number = 0;
  end.serve = (_stream, read, last) => (request = StreamRequest.from(read, last, added));
  end.receive(end.get(1, path, fields));
  // What the next head leaves in the connection's buffers.
  end.serve = () => {};
  end.receive(end.get(3, "/other", [["x-other", "other"]]));
  return request as StreamRequest | number;
}

test("stream request says its head in HTTP/1 and HTTP/2 with the proven identity alone", (t) => {
  const request = requestOf("/a/./b?c=d", [
    ["x-forwarded-client-cert", "URI=spiffe://forged"],
    ["x-many", "one"],
    ["x-many", "two"],
  ]);
  if (typeof request === "number") throw new Error(refusalOf(request).reason);
  t.is(request.methodText, "GET");
  t.is(request.pathText, "/a/b");
  t.is(request.host.normal, "b");
  t.is(request.value(ascii("x-many")), "one, two");
  t.is(
    request.http1Head().toString(),
    `GET /a/b?c=d HTTP/1.1\r\nhost: b\r\nx-many: one\r\nx-many: two\r\n${added.toString()}\r\n`,
  );
  const encoder = new HpackEncoder();
  encoder.begin();
  request.http2Head(encoder);
  const decoder = new HpackDecoder();
  t.is(decoder.decode(encoder.bytes, 0, encoder.length), 0);
  const { block } = decoder;
  const lines = Array.from({ length: block.count }, (_, field) =>
    [block.nameText(field), block.valueText(field)].join(" "),
  );
  t.deepEqual(lines, [
    ":method GET",
    ":scheme http",
    ":authority b",
    ":path /a/b?c=d",
    "x-many one",
    "x-many two",
  ]);
});

test("stream request refuses what HTTP/1 would not take", (t) => {
  const request = requestOf("/", [["expect", "the worst"]]);
  t.is(typeof request === "number" ? refusalOf(request).reason : "", "expectation_unknown");
});
