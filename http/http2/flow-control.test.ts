import test from "ava";
import { frame } from "#/test/kit/http2-frame.ts";
import { End, converse, data, settingsPayload, windowUpdate } from "#/test/kit/http2-end.ts";
import { TYPE } from "./frame.ts";

const WINDOW = 65_535;
const KIB = 1024;

/** A server that answers stream after stream with content of a size. */
function answering(count: number, ids: readonly number[], peerWindow = WINDOW): End {
  const end = End.server();
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, peerWindow), 0));
  end.serve = (stream) => {
    end.respond(stream, false);
    stream.send(Buffer.alloc(count, "x"), true);
  };
  for (const id of ids) end.receive(end.get(id));
  return end;
}

/** The DATA frames of a list, as "stream length" each. */
function dataOf(frames: readonly string[]): string[] {
  return frames.filter((each) => each.startsWith("data")).map((each) => each.slice(5));
}

test("flow control sends no more than the peer's windows, in frames of 16 KiB", (t) => {
  const end = answering(100 * KIB, [1]);
  t.deepEqual(dataOf(end.sent()), ["1 16384", "1 16384", "1 16384", "1 16383"]);
  end.receive(windowUpdate(1, 10));
  t.deepEqual(end.sent(), [], "the connection has none left");
  end.receive(windowUpdate(0, 5));
  t.deepEqual(end.sent(), ["data 1 5"]);
  end.receive(windowUpdate(0, 100 * KIB));
  t.deepEqual(end.sent(), ["data 1 5"]);
  end.receive(windowUpdate(1, 100 * KIB));
  t.is(dataOf(end.sent()).at(-1), `1 ${100 * KIB - WINDOW - 10 - 16 * KIB * 2} last`);
});

test("flow control follows the initial window up and down, below zero and back", (t) => {
  const end = answering(100, [1], 50);
  t.deepEqual(dataOf(end.sent()), ["1 50"]);
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, 20), 0));
  end.receive(windowUpdate(1, 30));
  t.deepEqual(dataOf(end.sent()), [], "0 in all");
  end.receive(windowUpdate(1, 1));
  t.deepEqual(dataOf(end.sent()), ["1 1"]);
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, 1000), 0));
  t.deepEqual(dataOf(end.sent()), ["1 49 last"]);
});

test("flow control with a window of one byte sends one byte", (t) => {
  const end = answering(3, [1], 1);
  t.deepEqual(dataOf(end.sent()), ["1 1"]);
  end.receive(windowUpdate(1, 1));
  t.deepEqual(dataOf(end.sent()), ["1 1"]);
  end.receive(windowUpdate(1, 1));
  t.deepEqual(dataOf(end.sent()), ["1 1 last"]);
});

test("flow control ends what has a window of more than 2^31 - 1, and one that grows by nothing", (t) => {
  const most = 2 ** 31 - 1;
  const stream = answering(WINDOW + 1, [1]);
  stream.sent();
  stream.receive(windowUpdate(1, most), windowUpdate(1, 1));
  t.deepEqual(stream.sent(), ["rstStream 1 FLOW_CONTROL_ERROR"]);
  t.is(stream.told.at(-1), "reset 1 FLOW_CONTROL_ERROR by us window_overflow");
  const connection = End.server();
  connection.receive(windowUpdate(0, most));
  t.deepEqual(connection.sent(), ["goaway 0 FLOW_CONTROL_ERROR"]);
  const settings = answering(10, [1], 0);
  settings.receive(windowUpdate(1, most), frame(TYPE.settings, 0, settingsPayload(4, 1), 0));
  t.is(settings.sent().at(-1), "goaway 1 FLOW_CONTROL_ERROR");
  const nothing = answering(10, [1], 0);
  nothing.sent();
  nothing.receive(windowUpdate(1, 0));
  t.deepEqual(nothing.sent(), ["rstStream 1 PROTOCOL_ERROR"]);
  nothing.receive(windowUpdate(0, 0));
  t.deepEqual(nothing.sent(), ["goaway 1 PROTOCOL_ERROR"]);
});

test("flow control lets streams take turns by frame", (t) => {
  const end = End.server();
  end.receive(windowUpdate(0, 1024 * KIB));
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, 1024 * KIB), 0));
  end.serve = (stream) => {
    end.respond(stream, false);
    stream.send(Buffer.alloc(stream.id === 5 ? 100 : 40 * KIB, "x"), true);
  };
  end.receive(end.get(1), end.get(3), end.get(5));
  const order = dataOf(end.sent());
  t.deepEqual(order, [
    "1 16384",
    "1 16384",
    "3 16384",
    "5 100 last",
    "1 8192 last",
    "3 16384",
    "3 8192 last",
  ]);
});

test("flow control: a stream without a window does not hold up another", (t) => {
  const end = answering(100, [1], 0);
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, WINDOW), 0));
  end.sent();
  const held = answering(1000, [1, 3], 10);
  held.sent();
  held.receive(windowUpdate(3, 1000));
  t.deepEqual(dataOf(held.sent()), ["3 990 last"]);
});

test("flow control tells when what waited has left, and sends trailers after it", (t) => {
  const end = End.server();
  const stream = () => end.opened.get(1)!;
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, 5), 0), end.get(1));
  end.respond(stream(), false);
  t.true(stream().send(Buffer.from("hel"), false));
  t.false(stream().send(Buffer.from("lo wo"), false));
  t.false(stream().send(Buffer.from("rld"), false));
  end.sent();
  end.receive(windowUpdate(1, 20));
  t.deepEqual(end.sent(), ["data 1 3", "data 1 3"]);
  t.is(end.told.at(-1), "drain 1");
  t.false(stream().send(Buffer.alloc(100), false));
  const trailers = stream().openTrailers()!;
  trailers.indexed(8);
  stream().sendTrailers();
  t.is(stream().openTrailers(), null);
  t.true(stream().send(Buffer.from("late"), true), "nothing comes after trailers");
  end.sent();
  end.receive(windowUpdate(1, 100));
  t.deepEqual(end.sent(), ["data 1 86", "headers 1 last"]);
});

test("flow control gives back what its reader has released, and not before", (t) => {
  const end = End.server({ releases: false, limits: { streamWindowBytes: 128 * KIB } });
  end.receive(end.post(1));
  for (let round = 0; round < 8; round += 1) end.receive(data(1, 16 * KIB, false));
  t.deepEqual(end.sent(), []);
  const stream = end.opened.get(1)!;
  stream.release(16 * KIB);
  t.deepEqual(end.sent(), [], "little updates are saved up");
  stream.release(48 * KIB);
  t.deepEqual(end.sent(), [`windowUpdate 1 ${64 * KIB}`]);
  stream.release(10_000_000);
  t.is(stream.unreleased, 0, "no more than was given");
});

test("flow control refuses content beyond the windows", (t) => {
  const end = End.server({ releases: false, limits: { streamWindowBytes: 64 * KIB } });
  end.receive(end.post(1));
  for (let round = 0; round < 4; round += 1) end.receive(data(1, 16 * KIB, false));
  end.receive(data(1, "x", false));
  t.is(end.told.at(-1), "reset 1 FLOW_CONTROL_ERROR by us window_exceeded");
  const whole = End.server({ releases: false, limits: { connectionWindowBytes: 64 * KIB } });
  for (const id of [1, 3, 5, 7, 9]) whole.receive(whole.post(id), data(id, 16 * KIB, false));
  t.is(whole.told.at(-1), "closed window_exceeded");
  t.is(whole.sent().at(-1), "goaway 9 FLOW_CONTROL_ERROR");
});

test("flow control counts padding, and content that nobody reads, as read", (t) => {
  const limits = { connectionWindowBytes: 128 * KIB, streamWindowBytes: 64 * KIB };
  const end = End.server({ releases: false, limits });
  const padded = Buffer.alloc(257);
  padded[0] = 255;
  end.receive(end.post(1));
  for (let round = 0; round < 200; round += 1) end.receive(frame(TYPE.data, 8, padded, 1));
  t.is(end.opened.get(1)!.unreleased, 200);
  t.deepEqual(end.sent(), [`windowUpdate 1 ${256 * 128}`]);
  end.opened.get(1)!.reset(8);
  for (let round = 0; round < 5; round += 1) end.receive(data(1, 16 * KIB, false));
  const given = end.sent().filter((each) => !each.startsWith("windowUpdate 1 "));
  t.regex(given.join(), /^rstStream 1 CANCEL(,windowUpdate \d+)+$/);
});

test("flow control returns what a reset stream held", (t) => {
  const end = End.server({ releases: false, limits: { connectionWindowBytes: 128 * KIB } });
  end.receive(end.post(1));
  for (let round = 0; round < 4; round += 1) end.receive(data(1, 16 * KIB, false));
  end.opened.get(1)!.reset(8);
  t.deepEqual(end.sent(), [`windowUpdate ${64 * KIB}`, "rstStream 1 CANCEL"]);
  end.opened.get(1)!.release(64 * KIB);
  t.deepEqual(end.sent(), []);
});

test("flow control adds nothing to the output while the socket takes nothing", (t) => {
  const end = End.server();
  end.receive(end.get(1));
  end.connection.setBlocked(true);
  end.respond(end.opened.get(1)!, false);
  t.false(end.opened.get(1)!.send(Buffer.from("hello"), true));
  t.deepEqual(end.sent(), ["headers 1"]);
  const { wakes } = end;
  end.connection.setBlocked(false);
  t.is(end.wakes, wakes + 1);
  t.deepEqual(end.sent(), ["data 1 5 last"]);
});

test("flow control carries megabytes both ways at once within its windows", (t) => {
  const client = new End({ role: "client" });
  const server = new End({ role: "server" });
  const size = 3 * KIB * KIB;
  server.serve = (stream) => {
    server.respond(stream, false);
    stream.send(Buffer.alloc(size, "s"), true);
  };
  converse(client, server);
  const streams = [1, 2, 3].map(() => client.request("POST", "/", false)!);
  for (const stream of streams) stream.send(Buffer.alloc(size, "c"), true);
  converse(client, server);
  for (const { id } of streams) {
    t.is(server.content.get(id)?.length, size);
    t.is(client.content.get(id)?.length, size);
  }
});
