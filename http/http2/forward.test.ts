import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { encodeFields, fieldsOf } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { METHOD } from "../http1/method.ts";
import { fieldLine } from "./field-line.ts";
import { forwardRequest, forwardResponse, forwardTrailers } from "./forward.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { RequestFields } from "./request-fields.ts";
import { ResponseFields } from "./response-fields.ts";

const peer = fieldLine("x-signet-peer", "spiffe://a/ns/b/sa/c");

function decoded(fields: readonly Field[]): HpackDecoder {
  const decoder = new HpackDecoder();
  const block = encodeFields(new HpackEncoder(), fields);
  decoder.decode(block, 0, block.length);
  return decoder;
}

/** What the next hop reads of what is written. */
function written(write: (encoder: HpackEncoder) => void): Field[] {
  const encoder = new HpackEncoder();
  encoder.begin();
  write(encoder);
  const decoder = new HpackDecoder();
  decoder.decode(encoder.bytes, 0, encoder.length);
  return fieldsOf(decoder.block);
}

function requestSent(fields: readonly Field[]): Field[] | string {
  const request = new RequestFields();
  const fault = request.read(decoded(fields).block, false, true);
  return fault ?? written((encoder) => forwardRequest(encoder, request, [peer]));
}

const get: Field = [":method", "GET"];
const http: Field = [":scheme", "http"];
const sentPeer: Field = ["x-signet-peer", "spiffe://a/ns/b/sa/c"];

test("attack-36 http2 forwards no claim of identity, in any spelling", (t) => {
  const fields: Field[] = [get, http, [":path", "/"], [":authority", "b"]];
  const claims: Field[] = [
    ["x-signet-peer", "spiffe://x"],
    ["x_signet_peer", "spiffe://x"],
    ["x-forwarded-client-cert", "x"],
    ["x_forwarded_client_cert", "x"],
    ["l5d-client-id", "x"],
  ];
  const rest: Field[] = [
    ["te", "trailers"],
    ["x-a", "b"],
  ];
  t.deepEqual(requestSent([...fields, ...claims, ...rest]), [...fields, ...rest, sentPeer]);
});

test("attack-38 attack-39 http2 forwards path and host as they were understood", (t) => {
  t.deepEqual(
    requestSent([[":path", "/a/../b%41?c=/../"], get, [":authority", "B.:80"], http, ["x-a", "b"]]),
    [get, http, [":authority", "b:80"], [":path", "/bA?c=/../"], ["x-a", "b"], sentPeer],
  );
  t.deepEqual(requestSent([[":path", "/a"], get, [":authority", "B"], http]), [
    [":path", "/a"],
    get,
    http,
    [":authority", "b"],
    sentPeer,
  ]);
});

test("attack-39 http2 forwards one host, as authority", (t) => {
  const sent = [get, http, [":path", "/"], [":authority", "b"], ["x-a", "1"], sentPeer];
  t.deepEqual(requestSent([get, http, [":path", "/"], ["host", "b"], ["x-a", "1"]]), sent);
  t.deepEqual(
    requestSent([get, http, [":path", "/"], [":authority", "b"], ["host", "b"], ["x-a", "1"]]),
    sent,
  );
});

test("http2 forwards responses without Server, and trailers as they are", (t) => {
  const response = new ResponseFields();
  const fields: Field[] = [
    [":status", "200"],
    ["server", "nginx"],
    ["x-signet-peer", "x"],
    ["set-cookie", "a=b"],
    ["set-cookie", "c=d"],
  ];
  t.is(response.read(decoded(fields).block, false, METHOD.get), null);
  const server = fieldLine("server", "signet");
  t.deepEqual(
    written((encoder) => forwardResponse(encoder, response, [server])),
    [fields[0]!, fields[3]!, fields[4]!, ["server", "signet"]],
  );
  const trailers: Field[] = [
    ["grpc-status", "0"],
    ["x-checksum", "1"],
  ];
  t.deepEqual(
    written((encoder) => forwardTrailers(encoder, decoded(trailers).block)),
    trailers,
  );
});

test("http2 forward property: what is sent on is well formed, means the same, and stays as it is", (t) => {
  const segment = fc.constantFrom("a", ".", "..", "", "%2e", "%41", "b;c", "x.y");
  const path = fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join("/")}`);
  const host = fc.constantFrom("b", "B", "b.", "B.:80", "[FD00::1]:80");
  const more = fc.constantFrom<Field>(
    ["x-a", "b"],
    ["cookie", "a=b"],
    ["te", "trailers"],
    ["x-signet-peer", "x"],
    ["content-length", "5"],
  );
  const fields = fc.uniqueArray(more, { selector: ([name]) => name });
  fc.assert(
    fc.property(path, host, fc.boolean(), fields, (path, host, asHost, list) => {
      const where: Field = asHost ? ["host", host] : [":authority", host];
      const pseudo: Field[] = [get, http, [":path", path]];
      const sent = requestSent(asHost ? [...pseudo, ...list, where] : [...pseudo, where, ...list]);
      if (typeof sent === "string") return;
      const request = new RequestFields();
      t.is(request.read(decoded(sent).block, false, false), null);
      t.is(request.newPath, null);
      t.is(request.host.rewritten, null);
      // Sent on once more nothing changes.
      t.deepEqual(requestSent(sent), sent);
    }),
    fuzzOptions(t, 500),
  );
});
