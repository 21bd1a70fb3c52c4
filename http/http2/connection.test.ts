import test from "ava";
import { addField } from "#/test/kit/header-fields.ts";
import { frame, settings } from "#/test/kit/http2-frame.ts";
import {
  End,
  converse,
  data,
  requestFields,
  rstStream,
  settingsPayload,
} from "#/test/kit/http2-end.ts";
import { PREFACE } from "./connection.ts";
import { TYPE } from "./frame.ts";

const empty = Buffer.alloc(0);
const goaway = (lastId: number, code: number): Buffer => {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(lastId, 0);
  payload.writeUInt32BE(code, 4);
  return frame(TYPE.goaway, 0, payload, 0);
};

test("connection carries requests, responses, content and trailers, however bytes are cut", (t) => {
  for (const pieceBytes of [1, 7, Number.POSITIVE_INFINITY]) {
    const client = new End({ role: "client" });
    const server = new End({ role: "server" });
    server.serve = (stream) => {
      server.respond(stream, false, "103");
      server.respond(stream, false, "200", [["content-type", "text/plain"]]);
      stream.send(Buffer.from("answer"), false);
      const trailers = stream.openTrailers()!;
      addField(trailers, ["grpc-status", "0"]);
      stream.sendTrailers();
    };
    const get = client.request("GET", "/a", true)!;
    const post = client.request("POST", "/b", false)!;
    post.send(Buffer.from("hello "), false);
    post.send(Buffer.from("world"), true);
    converse(client, server, pieceBytes);
    const requests = server.told.filter((each) => !each.startsWith("data"));
    t.deepEqual(requests, ["request 1 GET /a last", "request 3 POST /b"]);
    t.is(server.content.get(3), "hello world");
    for (const { id } of [get, post]) {
      const told = client.told.filter((each) => each.split(" ")[1] === String(id));
      t.deepEqual(
        told.filter((each) => !each.startsWith("data")),
        [`response ${id} 103`, `response ${id} 200`, `trailers ${id} grpc-status`],
      );
      t.is(client.content.get(id), "answer");
    }
    t.deepEqual([client.connection.streams, server.connection.streams], [0, 0]);
    t.false(get.alive || post.alive);
  }
});

test("connection begins with preface, settings and the window of all streams", (t) => {
  const client = new End({ role: "client" });
  const bytes = client.bytes();
  t.deepEqual(bytes.subarray(0, 24), PREFACE);
  const wanted = settingsPayload(3, 100, 4, 256 * 1024, 6, 65536, 2, 0);
  t.deepEqual(bytes.subarray(24, 24 + 9 + 24), frame(TYPE.settings, 0, wanted, 0));
  const server = new End({ role: "server", connectProtocol: true });
  t.deepEqual(server.sent(), ["settings", `windowUpdate ${8 * 1024 * 1024 - 65_535}`]);
  t.is(server.wakes, 1, "told once");
});

test("connection takes nothing before the preface and settings", (t) => {
  const bad = new End();
  bad.receive(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  t.deepEqual(bad.told, ["closed bad_preface"]);
  const late = new End();
  late.receive(Buffer.concat([PREFACE.subarray(0, 20), Buffer.from("SM\r\n\r\r")]));
  t.deepEqual(late.told, ["closed bad_preface"]);
  for (const first of [
    frame(TYPE.ping, 0, Buffer.alloc(8), 0),
    frame(TYPE.settings, 1, empty, 0),
    frame(0x77, 0, empty, 0),
  ]) {
    const end = new End();
    end.receive(PREFACE, first);
    t.deepEqual(end.told, ["closed settings_expected"]);
    t.is(end.sent().at(-1), "goaway 0 PROTOCOL_ERROR");
  }
});

test("connection acknowledges settings and answers pings", (t) => {
  const end = new End();
  end.receive(PREFACE, settings);
  t.false(end.connection.settingsAcknowledged);
  t.deepEqual(end.sent().slice(2), ["settings ack"]);
  end.receive(frame(TYPE.settings, 1, empty, 0), frame(TYPE.ping, 0, Buffer.from("12345678"), 0));
  t.true(end.connection.settingsAcknowledged);
  t.deepEqual(end.bytes(), frame(TYPE.ping, 1, Buffer.from("12345678"), 0));
  end.receive(frame(TYPE.ping, 1, Buffer.from("12345678"), 0));
  t.deepEqual(end.sent(), []);
});

const badSettings: readonly (readonly [string, readonly number[], string])[] = [
  ["ENABLE_PUSH of 2", [2, 2], "PROTOCOL_ERROR"],
  ["a window above 2^31 - 1", [4, 2 ** 31], "FLOW_CONTROL_ERROR"],
  ["frames below 2^14", [5, 16_383], "PROTOCOL_ERROR"],
  ["frames above 2^24 - 1", [5, 2 ** 24], "PROTOCOL_ERROR"],
  ["ENABLE_CONNECT_PROTOCOL of 2", [8, 2], "PROTOCOL_ERROR"],
  ["ENABLE_CONNECT_PROTOCOL taken back", [8, 1, 8, 0], "PROTOCOL_ERROR"],
];
for (const [what, words, error] of badSettings) {
  test(`connection ends for settings with ${what}`, (t) => {
    const end = End.server();
    end.receive(frame(TYPE.settings, 0, settingsPayload(...words), 0));
    t.deepEqual(end.told, ["closed bad_settings"]);
    t.deepEqual(end.sent(), [`goaway 0 ${error}`]);
  });
}

test("connection of a client refuses a server that wants to push", (t) => {
  const end = End.client({}, 2, 1);
  t.deepEqual(end.told, ["closed bad_settings"]);
  const pushed = End.client();
  pushed.request("GET", "/", true);
  pushed.receive(frame(TYPE.pushPromise, 4, Buffer.alloc(4), 1));
  t.deepEqual(pushed.told.at(-1), "closed push_refused");
});

test("connection takes settings that it does not know", (t) => {
  const end = End.server();
  end.receive(frame(TYPE.settings, 0, settingsPayload(0xff77, 5, 1, 100, 6, 1), 0));
  t.deepEqual(end.sent(), ["settings ack"]);
});

test("connection of a client opens no more streams than the server takes", (t) => {
  const end = End.client({}, 3, 2);
  const first = end.request("GET", "/1", true)!;
  t.truthy(end.request("GET", "/2", true));
  t.false(end.connection.canOpen);
  t.is(end.request("GET", "/3", true), null);
  first.reset(8);
  t.deepEqual(end.sent().at(-1), "rstStream 1 CANCEL");
  t.is(end.request("GET", "/3", true)!.id, 5);
  end.receive(frame(TYPE.settings, 0, settingsPayload(3, 0), 0));
  t.false(end.connection.canOpen);
});

test("connection of a server refuses more streams than it offered", (t) => {
  const end = End.server({ limits: { streamsMax: 2 } });
  end.receive(end.get(1), end.get(3), end.get(5));
  t.deepEqual(end.sent(), ["rstStream 5 REFUSED_STREAM"]);
  t.is(end.told.length, 2);
  end.respond(end.opened.get(1)!, true);
  end.receive(end.get(7));
  t.is(end.told.at(-1), "request 7 GET / last", "its table did not suffer");
});

test("connection of a server drains in two steps", (t) => {
  const end = End.server();
  end.receive(end.get(1));
  end.connection.drain();
  t.deepEqual(end.sent(), [`goaway ${2 ** 31 - 1} NO_ERROR`, "ping"]);
  end.receive(end.get(3));
  t.is(end.told.at(-1), "request 3 GET / last", "it was under way");
  end.receive(frame(TYPE.ping, 1, Buffer.from("draining"), 0));
  t.deepEqual(end.sent(), ["goaway 3 NO_ERROR"]);
  end.receive(end.get(5));
  t.is(end.told.length, 2, "nobody works on it");
  t.deepEqual(end.sent(), []);
  end.respond(end.opened.get(1)!, true);
  t.false(end.connection.closed);
  end.respond(end.opened.get(3)!, true);
  t.deepEqual(end.told.slice(2), ["closed drained"]);
  t.deepEqual(end.sent(), ["headers 1 last", "headers 3 last"]);
});

test("connection of a client leaves when its last stream has ended", (t) => {
  const end = End.client();
  end.request("GET", "/", true);
  end.connection.drain();
  t.false(end.connection.canOpen);
  t.deepEqual(end.sent(), ["headers 1 last", "goaway 0 NO_ERROR"]);
  end.receive(frame(TYPE.headers, 5, end.block([":status", "200"]), 1));
  t.deepEqual(end.told, ["response 1 200 last", "closed drained"]);
});

test("connection tells of streams that a leaving server will not work on", (t) => {
  const end = End.client();
  for (const path of ["/1", "/2", "/3"]) end.request("GET", path, true);
  end.receive(goaway(3, 0));
  t.deepEqual(end.told, ["reset 5 NO_ERROR by connection unprocessed", "goaway NO_ERROR"]);
  t.false(end.connection.canOpen);
  end.receive(frame(TYPE.headers, 5, end.block([":status", "200"]), 1));
  t.is(end.told.at(-1), "response 1 200 last");
  end.receive(rstStream(3, 7));
  t.is(end.told.at(-1), "reset 3 REFUSED_STREAM by peer unprocessed");
});

test("connection tells its streams when it is lost, aborted or at fault", (t) => {
  const lost = End.server();
  lost.receive(lost.get(1));
  lost.connection.lost();
  t.deepEqual(lost.told.slice(1), ["reset 1 CANCEL by connection", "closed drained"]);
  const aborted = End.server();
  aborted.receive(aborted.get(1));
  aborted.connection.abort(2);
  t.deepEqual(aborted.told.slice(1), ["reset 1 INTERNAL_ERROR by connection", "closed drained"]);
  t.deepEqual(aborted.sent(), ["goaway 1 INTERNAL_ERROR"]);
  const fault = End.server();
  fault.receive(fault.get(1), frame(TYPE.ping, 0, empty, 0));
  t.deepEqual(fault.told.slice(1), ["reset 1 FRAME_SIZE_ERROR by connection", "closed bad_frame"]);
  t.deepEqual(fault.sent(), ["goaway 1 FRAME_SIZE_ERROR"]);
  fault.receive(fault.get(3), data(1, "x", true));
  t.is(fault.told.length, 3, "nothing more is read");
  fault.opened.get(1)!.send(Buffer.from("x"), true);
  t.is(fault.opened.get(1)!.openHead(), null);
  t.deepEqual(fault.sent(), []);
});

test("connection answers a request with extended CONNECT only where it was offered", (t) => {
  const fields = (more: string) =>
    [...requestFields("CONNECT", "/chat"), [":protocol", more] as const] as const;
  const plain = End.server();
  plain.receive(frame(TYPE.headers, 4, plain.block(...fields("websocket")), 1));
  t.deepEqual(plain.sent(), ["rstStream 1 PROTOCOL_ERROR"]);
  const offered = End.server({ connectProtocol: true });
  offered.receive(frame(TYPE.headers, 4, offered.block(...fields("websocket")), 1));
  t.deepEqual(offered.told, ["request 1 CONNECT /chat"]);
  const client = End.client({}, 8, 1);
  t.true(client.connection.peerConnectProtocol);
  t.false(End.client().connection.peerConnectProtocol);
});
