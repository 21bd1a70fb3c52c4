// Which messages are malformed (RFC 9113 section 8): each costs its stream alone.
import test from "ava";
import { frame } from "#/test/kit/http2-frame.ts";
import { End, data, requestFields } from "#/test/kit/http2-end.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { FRAME_FLAG, TYPE } from "./frame.ts";

const [method, scheme, path, authority] = requestFields("GET", "/") as [Field, Field, Field, Field];
const good = [method, scheme, path, authority];
const connect: Field = [":method", "CONNECT"];

type Fields = readonly Field[];
const refusedRequests: readonly (readonly [number, string, Fields])[] = [
  [40, "no method", [scheme, path, authority]],
  [40, "no scheme", [method, path, authority]],
  [40, "no path", [method, scheme, authority]],
  [40, "two methods", [method, ...good]],
  [40, "two schemes", [scheme, ...good]],
  [40, "two paths", [path, ...good]],
  [39, "two authorities", [authority, ...good]],
  [40, "a status", [...good, [":status", "200"]]],
  [40, "a pseudo-header field after another", [method, scheme, path, ["x-a", "b"], authority]],
  [40, "an unknown pseudo-header field", [...good, [":x-a", "b"]]],
  [40, "an empty path", [method, scheme, [":path", ""], authority]],
  [40, "a path without a slash", [method, scheme, [":path", "admin"], authority]],
  [40, "an absolute path", [method, scheme, [":path", "http://b/"], authority]],
  [40, "* for GET", [method, scheme, [":path", "*"], authority]],
  [38, "a fragment in the path", [method, scheme, [":path", "/a#b"], authority]],
  [38, "a backslash in the path", [method, scheme, [":path", "/a\\b"], authority]],
  [38, "a space in the path", [method, scheme, [":path", "/a b"], authority]],
  [38, "a space in the query", [method, scheme, [":path", "/a?b c"], authority]],
  [38, "an escaped slash", [method, scheme, [":path", "/a%2fb"], authority]],
  [38, "a path escaped twice", [method, scheme, [":path", "/%252e%252e/"], authority]],
  [40, "a scheme of its own", [method, [":scheme", "ftp"], path, authority]],
  [42, "a method that is no token", [[":method", "GET /"], scheme, path, authority]],
  [42, "an empty method", [[":method", ""], scheme, path, authority]],
  [42, "a method of 33 bytes", [[":method", "A".repeat(33)], scheme, path, authority]],
  [39, "neither authority nor Host", [method, scheme, path]],
  [39, "an authority that is not the Host", [...good, ["host", "c"]]],
  [39, "two Hosts", [...good, ["host", "b"], ["host", "b"]]],
  [39, "user information in the authority", [method, scheme, path, [":authority", "u@b"]]],
  [39, "an empty authority", [method, scheme, path, [":authority", ""]]],
  [42, "Connection", [...good, ["connection", "close"]]],
  [42, "Keep-Alive", [...good, ["keep-alive", "1"]]],
  [42, "Proxy-Connection", [...good, ["proxy-connection", "close"]]],
  [42, "Transfer-Encoding", [...good, ["transfer-encoding", "chunked"]]],
  [42, "transfer_encoding", [...good, ["transfer_encoding", "chunked"]]],
  [44, "Upgrade", [...good, ["upgrade", "h2c"]]],
  [42, "TE other than trailers", [...good, ["te", "trailers, deflate"]]],
  [42, "TE twice", [...good, ["te", "trailers"], ["te", "trailers"]]],
  [42, "a Content-Length that is none", [...good, ["content-length", "0x0"]]],
  [42, "a Content-Length with a sign", [...good, ["content-length", "+0"]]],
  [42, "a Content-Length list", [...good, ["content-length", "0, 0"]]],
  [42, "Content-Length twice", [...good, ["content-length", "0"], ["content-length", "0"]]],
  [42, "a Content-Length without content", [...good, ["content-length", "5"]]],
  [43, "a name in upper case", [...good, ["X-a", "b"]]],
  [43, "a line feed in a value", [...good, ["x-a", "b\nc"]]],
  [43, "a carriage return in a value", [...good, ["x-a", "b\rc"]]],
  [43, "NUL in a value", [...good, ["x-a", "b\0c"]]],
  [43, "a space before a value", [...good, ["x-a", " b"]]],
  [43, "a space in a name", [...good, ["x a", "b"]]],
  [43, "an empty name", [...good, ["", "b"]]],
  [40, "CONNECT with scheme and path", [connect, scheme, path, authority]],
  [40, "CONNECT without an authority", [connect, ["host", "b"]]],
  [42, "CONNECT with a Content-Length", [connect, authority, ["content-length", "0"]]],
  [
    45,
    "a protocol that was not offered",
    [connect, scheme, path, authority, [":protocol", "websocket"]],
  ],
  [45, "a protocol without CONNECT", [...good, [":protocol", "websocket"]]],
];

for (const [attack, what, fields] of refusedRequests) {
  test(`attack-${attack} http2 refuses a request with ${what}, and nothing but it`, (t) => {
    const end = End.server();
    end.receive(frame(TYPE.headers, 5, end.block(...fields), 1));
    t.deepEqual(end.told, []);
    t.deepEqual(end.sent(), ["rstStream 1 PROTOCOL_ERROR"]);
    end.receive(end.get(3));
    t.deepEqual(end.told, ["request 3 GET / last"]);
  });
}

const acceptedRequests: readonly (readonly [string, Fields, string])[] = [
  ["all it must have", good, "GET /"],
  ["Host in place of an authority", [method, scheme, path, ["host", "b"]], "GET /"],
  ["the same Host besides", [...good, ["host", "B"]], "GET /"],
  ["the other scheme", [method, [":scheme", "https"], path, authority], "GET /"],
  ["TE: trailers", [...good, ["te", "Trailers"]], "GET /"],
  ["several crumbs of cookie", [...good, ["cookie", "a=b"], ["cookie", "c=d"]], "GET /"],
  ["a Content-Length of 0", [...good, ["content-length", "0"]], "GET /"],
  ["* for OPTIONS", [[":method", "OPTIONS"], scheme, [":path", "*"], authority], "OPTIONS *"],
  ["CONNECT", [connect, authority], "CONNECT "],
  ["a method of its own", [[":method", "PURGE"], scheme, path, authority], "PURGE /"],
  ["a query", [method, scheme, [":path", "/a?b=%2f//../"], authority], "GET /a"],
  [
    "dots and escapes to normalise",
    [method, scheme, [":path", "/a/../%61//b?c"], authority],
    "GET /a/b",
  ],
  ["empty values", [...good, ["x-a", ""]], "GET /"],
];

for (const [what, fields, told] of acceptedRequests) {
  test(`http2 takes a request with ${what}`, (t) => {
    const end = End.server();
    end.receive(frame(TYPE.headers, 5, end.block(...fields), 1));
    t.deepEqual(end.told, [`request 1 ${told} last`]);
    t.deepEqual(end.sent(), []);
  });
}

test("attack-38 http2 request tells the path that is to be sent on", (t) => {
  const end = End.server();
  const paths: (string | null)[] = [];
  end.serve = (_stream, request) => {
    paths.push(request.newPath?.toString("latin1") ?? null, request.host.normal);
  };
  const ask = (path: string, id: number, host: string) =>
    end.receive(
      frame(TYPE.headers, 5, end.block(method, scheme, [":path", path], [":authority", host]), id),
    );
  ask("/a/./b?c=/../", 1, "B.:80");
  ask("/a.b/%25?x", 3, "b");
  t.deepEqual(paths, ["/a/b?c=/../", "b:80", null, "b"]);
});

const status = (value: string): Field => [":status", value];
const refusedResponses: readonly (readonly [string, Fields, number])[] = [
  ["no status", [["x-a", "b"]], 4],
  ["two statuses", [status("200"), status("200")], 4],
  ["a method", [status("200"), method], 4],
  ["a status after another field", [["x-a", "b"], status("200")], 4],
  ["a status of two digits", [status("20")], 4],
  ["a status with a letter", [status("2xx")], 4],
  ["a status below 100", [status("099")], 4],
  ["101", [status("101")], 4],
  ["an interim response that ends", [status("103")], 5],
  ["an interim response with a length", [status("103"), ["content-length", "5"]], 4],
  ["204 with a length", [status("204"), ["content-length", "5"]], 4],
  ["a length without content", [status("200"), ["content-length", "5"]], 5],
  ["Connection", [status("200"), ["connection", "close"]], 4],
  ["Transfer-Encoding", [status("200"), ["transfer-encoding", "chunked"]], 4],
];

for (const [what, fields, flags] of refusedResponses) {
  test(`attack-42 http2 refuses a response with ${what}, and nothing but it`, (t) => {
    const end = End.client();
    end.request("GET", "/", true);
    end.request("GET", "/", true);
    end.sent();
    end.receive(frame(TYPE.headers, flags, end.block(...fields), 1));
    t.is(end.told.length, 1);
    t.regex(end.told[0]!, /^reset 1 PROTOCOL_ERROR by us \w+$/);
    t.deepEqual(end.sent(), ["rstStream 1 PROTOCOL_ERROR"]);
    end.receive(frame(TYPE.headers, 5, end.block(status("200")), 3));
    t.is(end.told.at(-1), "response 3 200 last");
  });
}

test("http2 responses without content may say how long it would be", (t) => {
  const end = End.client();
  end.request("HEAD", "/", true);
  end.request("GET", "/", true);
  end.receive(frame(TYPE.headers, 5, end.block(status("200"), ["content-length", "5"]), 1));
  end.receive(frame(TYPE.headers, 5, end.block(status("304"), ["content-length", "5"]), 3));
  t.deepEqual(end.told, ["response 1 200 last", "response 3 304 last"]);
});

test("attack-42 http2 refuses content where none may be", (t) => {
  for (const [verb, code] of [
    ["HEAD", "200"],
    ["GET", "204"],
    ["GET", "304"],
  ] as const) {
    const end = End.client();
    end.request(verb, "/", true);
    end.receive(frame(TYPE.headers, 4, end.block(status(code)), 1), data(1, "x", true));
    t.is(end.told.at(-1), "reset 1 PROTOCOL_ERROR by us content_length_mismatch");
    const empty = End.client();
    empty.request(verb, "/", true);
    empty.receive(frame(TYPE.headers, 4, empty.block(status(code)), 1), data(1, "", true));
    t.is(empty.told.at(-1), "data 1 0 last");
  }
  const early = End.client();
  early.request("GET", "/", true);
  early.receive(data(1, "x", false));
  t.is(early.told.at(-1), "reset 1 PROTOCOL_ERROR by us content_not_allowed");
});

test("attack-42 http2 holds content against its length", (t) => {
  const post = (...contents: readonly (readonly [string, boolean])[]) => {
    const end = End.server();
    end.receive(end.post(1, [["content-length", "5"]]));
    for (const [content, last] of contents) end.receive(data(1, content, last));
    return end;
  };
  const mismatch = "reset 1 PROTOCOL_ERROR by us content_length_mismatch";
  t.is(post(["hello", true]).told.at(-1), "data 1 5 last");
  t.is(post(["he", false], ["llo", false], ["", true]).told.at(-1), "data 1 0 last");
  t.is(post(["hello!", false]).told.at(-1), mismatch);
  t.is(post(["hell", true]).told.at(-1), mismatch);
  t.is(post(["hello", false], ["!", true]).told.at(-1), mismatch);
  const trailers = post(["hell", false]);
  trailers.receive(frame(TYPE.headers, 5, trailers.block(["x-a", "b"]), 1));
  t.is(trailers.told.at(-1), mismatch);
});

const refusedTrailers: readonly (readonly [number, string, Fields, number])[] = [
  [43, "that do not end the message", [["x-a", "b"]], 4],
  [43, "with a pseudo-header field", [[":status", "200"]], 5],
  [43, "with a path", [path], 5],
  [43, "with a length", [["content-length", "5"]], 5],
  [43, "with a cookie", [["cookie", "a=b"]], 5],
  [43, "with content_type", [["content_type", "b"]], 5],
  [36, "with a claim of identity", [["x-signet-peer", "spiffe://a/ns/b/sa/c"]], 5],
  [43, "with Connection", [["connection", "close"]], 5],
  [50, "with a long name", [["x".repeat(65), "b"]], 5],
];
for (const [attack, what, fields, flags] of refusedTrailers) {
  test(`attack-${attack} http2 refuses trailers ${what}`, (t) => {
    const end = End.server();
    end.receive(end.post(1), frame(TYPE.headers, flags, end.block(...fields), 1));
    t.is(end.told.length, 2);
    t.regex(end.told[1]!, /^reset 1 PROTOCOL_ERROR by us \w+$/);
  });
}

test("http2 takes trailers of gRPC, and others that say nothing of the message", (t) => {
  const end = End.server();
  const trailers = end.block(["grpc-status", "0"], ["grpc-message", ""], ["x-checksum", "1"]);
  end.receive(end.post(1), data(1, "x", false), frame(TYPE.headers, 5, trailers, 1));
  t.is(end.told.at(-1), "trailers 1 grpc-status");
});

test("attack-46 http2 refuses a head that is larger than it said it may be, and goes on", (t) => {
  const end = End.server();
  const crumbs = Array.from({ length: 200 }, (): Field => ["x-a", "b"]);
  end.receive(end.get(1, "/", crumbs));
  t.deepEqual(end.sent(), ["rstStream 1 ENHANCE_YOUR_CALM"]);
  end.receive(end.get(3));
  t.deepEqual(end.told, ["request 3 GET / last"]);
});

test("attack-50 http2 refuses a path of more than 16 KiB", (t) => {
  for (const [length, refused] of [
    [16 * 1024, false],
    [16 * 1024 + 1, true],
  ] as const) {
    const end = End.server();
    const block = end.block(method, scheme, [":path", "/".padEnd(length, "a")], authority);
    end.receive(frame(TYPE.headers, 1, block.subarray(0, 1000), 1));
    end.receive(frame(TYPE.continuation, 4, block.subarray(1000), 1));
    t.deepEqual(end.sent(), refused ? ["rstStream 1 PROTOCOL_ERROR"] : []);
  }
});

test("http2 priority is taken off and forgotten, but for a stream that depends on itself", (t) => {
  const end = End.server();
  const block = end.block(...good);
  const flags = FRAME_FLAG.priority | 5;
  end.receive(
    frame(TYPE.headers, flags, Buffer.concat([Buffer.from("8000000010", "hex"), block]), 1),
  );
  t.deepEqual(end.told, ["request 1 GET / last"]);
  const again = end.block(...good);
  end.receive(
    frame(TYPE.headers, flags, Buffer.concat([Buffer.from("0000000310", "hex"), again]), 3),
  );
  t.deepEqual(end.sent(), ["rstStream 3 PROTOCOL_ERROR"]);
});
