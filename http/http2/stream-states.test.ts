// What may come on a stream in each of its states (RFC 9113 section 5.1). h2spec asks most of it again, from
// outside.
import test from "ava";
import { frame } from "#/test/kit/http2-frame.ts";
import { End, data, rstStream, windowUpdate } from "#/test/kit/http2-end.ts";
import { TYPE } from "./frame.ts";

const priority = (id: number, on: number): Buffer => {
  const payload = Buffer.alloc(5);
  payload.writeUInt32BE(on);
  return frame(TYPE.priority, 0, payload, id);
};
const continuation = (id: number): Buffer => frame(TYPE.continuation, 4, Buffer.alloc(0), id);

type State =
  | "idle"
  | "open"
  | "half-closed (remote)"
  | "half-closed (local)"
  | "ended"
  | "reset by peer"
  | "reset by us"
  | "skipped";

/** A server whose stream 1 is in a state. */
function inState(state: State): End {
  const end = End.server();
  const answer = () => end.respond(end.opened.get(1)!, true);
  if (state === "open" || state.includes("reset") || state.includes("local")) {
    end.receive(end.post(1));
  }
  if (state === "half-closed (remote)" || state === "ended") end.receive(end.get(1));
  if (state === "half-closed (local)" || state === "ended") answer();
  if (state === "reset by peer") end.receive(rstStream(1, 8));
  if (state === "reset by us") end.opened.get(1)!.reset(8);
  if (state === "skipped") end.receive(end.get(3));
  end.sent();
  end.told.length = 0;
  return end;
}

const frames: Readonly<Record<string, (end: End) => Buffer>> = {
  data: () => data(1, "x", true),
  headers: (end) => frame(TYPE.headers, 5, end.block(["x-a", "b"]), 1),
  priority: () => priority(1, 3),
  rstStream: () => rstStream(1, 8),
  windowUpdate: () => windowUpdate(1, 5),
  continuation: () => continuation(1),
};

/** What is sent, and what is told; GOAWAY's last stream is left out. */
function outcome(state: State, kind: string): string {
  const end = inState(state);
  end.receive(frames[kind]!(end));
  const sent = end.sent().map((each) => each.replace(/^goaway \d+/, "goaway"));
  return [...end.told, ...sent].join("; ");
}

const protocolError = (fault: string) => `closed ${fault}; goaway PROTOCOL_ERROR`;
const closedError = "closed stream_closed; goaway STREAM_CLOSED";
const idle = protocolError("stream_idle");
const alone = protocolError("continuation_unexpected");
const closedByUs = "reset 1 STREAM_CLOSED by us stream_closed; rstStream 1 STREAM_CLOSED";
/** Told to the streams that live, then of the connection. */
const withStream = "reset 1 PROTOCOL_ERROR by connection; ";

const table: Readonly<Record<State, Readonly<Record<string, string>>>> = {
  idle: {
    data: idle,
    headers: "rstStream 1 PROTOCOL_ERROR",
    priority: "",
    rstStream: idle,
    windowUpdate: idle,
    continuation: alone,
  },
  open: {
    data: "data 1 1 last",
    headers: "trailers 1 x-a",
    priority: "",
    rstStream: "reset 1 CANCEL by peer",
    windowUpdate: "",
    continuation: withStream + alone,
  },
  "half-closed (remote)": {
    data: closedByUs,
    headers: closedByUs,
    priority: "",
    rstStream: "reset 1 CANCEL by peer",
    windowUpdate: "",
    continuation: withStream + alone,
  },
  "half-closed (local)": {
    data: "data 1 1 last",
    headers: "trailers 1 x-a",
    priority: "",
    rstStream: "reset 1 CANCEL by peer",
    windowUpdate: "",
    continuation: withStream + alone,
  },
  ended: {
    data: closedError,
    headers: closedError,
    priority: "",
    rstStream: "",
    windowUpdate: "",
    continuation: alone,
  },
  "reset by peer": {
    data: "rstStream 1 STREAM_CLOSED",
    headers: "rstStream 1 STREAM_CLOSED",
    priority: "",
    rstStream: "",
    windowUpdate: "",
    continuation: alone,
  },
  "reset by us": {
    data: "",
    headers: "",
    priority: "",
    rstStream: "",
    windowUpdate: "",
    continuation: alone,
  },
  skipped: {
    data: `reset 3 STREAM_CLOSED by connection; ${closedError}`,
    headers: `reset 3 PROTOCOL_ERROR by connection; ${protocolError("bad_stream_id")}`,
    priority: "",
    rstStream: "",
    windowUpdate: "",
    continuation: `reset 3 PROTOCOL_ERROR by connection; ${alone}`,
  },
};

for (const [state, row] of Object.entries(table)) {
  for (const [kind, expected] of Object.entries(row)) {
    test(`http2 stream ${state}: ${kind}`, (t) => {
      t.is(outcome(state as State, kind), expected);
    });
  }
}

test("http2 stream numbers are odd and rise", (t) => {
  const even = End.server();
  even.receive(even.get(2));
  t.deepEqual(even.told, ["closed bad_stream_id"]);
  const gap = End.server();
  gap.receive(gap.get(1), gap.get(9), gap.get(5));
  t.is(gap.told.at(-1), "closed bad_stream_id");
  const client = End.client();
  client.receive(frame(TYPE.headers, 5, client.block([":status", "200"]), 1));
  t.deepEqual(client.told, ["closed stream_idle"]);
});

test("http2 PRIORITY of a wrong length or on itself costs the stream, or the connection where there is none", (t) => {
  const short = frame(TYPE.priority, 0, Buffer.alloc(4), 1);
  const open = inState("open");
  open.receive(short);
  t.deepEqual(open.sent(), ["rstStream 1 FRAME_SIZE_ERROR"]);
  const self = inState("open");
  self.receive(priority(1, 1));
  t.deepEqual(self.sent(), ["rstStream 1 PROTOCOL_ERROR"]);
  const idle = inState("idle");
  idle.receive(short);
  t.deepEqual(idle.sent(), ["goaway 0 FRAME_SIZE_ERROR"]);
  const idleSelf = inState("idle");
  idleSelf.receive(priority(1, 1));
  t.deepEqual(idleSelf.sent(), ["goaway 0 PROTOCOL_ERROR"]);
});

test("http2 nothing may come between the frames of a block", (t) => {
  const begin = (end: End) => end.receive(end.get(1, "/", [], 1));
  for (const between of [data(1, "x", false), priority(1, 3), frame(0x77, 0, Buffer.alloc(0), 1)]) {
    const end = End.server();
    begin(end);
    end.receive(between);
    t.deepEqual(end.told, ["closed continuation_expected"]);
  }
  const other = End.server();
  begin(other);
  other.receive(continuation(3));
  t.deepEqual(other.told, ["closed continuation_unexpected"]);
  const whole = End.server();
  begin(whole);
  whole.receive(continuation(1));
  t.deepEqual(whole.told, ["request 1 GET / last"]);
});

test("http2 stream that is over takes no more orders", (t) => {
  const end = inState("reset by peer");
  const stream = end.opened.get(1)!;
  t.is(stream.openHead(), null);
  t.is(stream.openTrailers(), null);
  t.true(stream.send(Buffer.from("x"), true));
  stream.release(10);
  stream.reset(8);
  t.deepEqual(end.sent(), []);
});
