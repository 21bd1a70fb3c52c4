// Attack 46: what a peer can do cheaply and often has a budget; the connection then ends with
// ENHANCE_YOUR_CALM, and until then memory stays flat.
import test from "ava";
import type { ExecutionContext } from "ava";
import { frame } from "#/test/kit/http2-frame.ts";
import { End, data, rstStream, settingsPayload, windowUpdate } from "#/test/kit/http2-end.ts";
import type { EndOptions } from "#/test/kit/http2-end.ts";
import { FRAME_BYTES_MAX, TYPE } from "./frame.ts";
import {
  BLOCK_BYTES_MAX,
  CONTINUATIONS_MAX,
  OUTPUT_BYTES_MAX,
  REPLY_BYTES_MAX,
  defaultConnectionLimits,
} from "./limits.ts";

const { resets, idleFrames } = defaultConnectionLimits;
const empty = Buffer.alloc(0);
const ping = frame(TYPE.ping, 0, Buffer.alloc(8), 0);

/** Repeats something until the connection is closed; how often that was, and what it was closed for. */
function flood(end: End, step: (round: number) => void, most = 20_000): readonly [number, string] {
  let rounds = 0;
  while (!end.connection.closed && rounds < most) {
    step(rounds);
    end.bytes();
    rounds += 1;
  }
  return [rounds, end.told.at(-1) ?? ""];
}

const near = (t: ExecutionContext, rounds: number, limit: number): void => {
  t.true(rounds > limit * 0.9 && rounds <= limit + 10, `${rounds} of ${limit}`);
};

test("attack-46 rapid reset ends the connection", (t) => {
  const end = End.server();
  const [rounds, closed] = flood(end, (round) => {
    end.receive(end.get(1 + round * 2), rstStream(1 + round * 2, 8));
  });
  t.is(closed, "closed reset_flood");
  near(t, rounds, resets.burst);
  t.is(end.connection.streams, 0);
});

test("attack-46 rapid reset at a low rate, or among requests that end, is no flood", (t) => {
  const slow = End.server();
  const [slowly] = flood(
    slow,
    (round) => {
      slow.nowMs += 1000 / resets.perSecond;
      slow.receive(slow.get(1 + round * 2), rstStream(1 + round * 2, 8));
    },
    2000,
  );
  t.is(slowly, 2000);
  const mixed = End.server();
  const [among] = flood(
    mixed,
    (round) => {
      const id = 1 + round * 4;
      mixed.receive(mixed.get(id), rstStream(id, 8), mixed.get(id + 2));
      mixed.respond(mixed.opened.get(id + 2)!, true);
    },
    2000,
  );
  t.is(among, 2000);
});

const madeToReset: readonly (readonly [string, (end: End, id: number) => Buffer[]])[] = [
  ["a window that grows by nothing", (_end, id) => [windowUpdate(id, 0)]],
  ["a window that overflows", (_end, id) => [windowUpdate(id, 2 ** 31 - 1)]],
  ["content after the end", (_end, id) => [data(id, "x", true)]],
  ["a head after the end", (end, id) => [end.get(id)]],
  ["PRIORITY on itself", (_end, id) => [frame(TYPE.priority, 0, selfPriority(id), id)]],
  ["PRIORITY of 4 bytes", (_end, id) => [frame(TYPE.priority, 0, Buffer.alloc(4), id)]],
];

function selfPriority(id: number): Buffer {
  const payload = Buffer.alloc(5);
  payload.writeUInt32BE(id);
  return payload;
}

for (const [what, provoke] of madeToReset) {
  test(`attack-46 made-you-reset by ${what} ends the connection`, (t) => {
    const end = End.server();
    const [rounds, closed] = flood(end, (round) => {
      const id = 1 + round * 2;
      end.receive(end.get(id), ...provoke(end, id));
    });
    t.is(closed, "closed reset_flood");
    near(t, rounds, resets.burst);
  });
}

test("attack-46 malformed requests, and more than the streams offered, end the connection", (t) => {
  const malformed = End.server();
  const [rounds, closed] = flood(malformed, (round) => {
    malformed.receive(malformed.get(1 + round * 2, "no-slash"));
  });
  t.is(closed, "closed reset_flood");
  near(t, rounds, resets.burst);
  const many = End.server({ limits: { streamsMax: 5 } });
  const [refused, why] = flood(many, (round) => many.receive(many.get(1 + round * 2)));
  t.is(why, "closed reset_flood");
  near(t, refused, resets.burst + 5);
});

const idle: readonly (readonly [string, (end: End) => Buffer])[] = [
  ["PING", () => ping],
  ["acknowledged PING", () => frame(TYPE.ping, 1, Buffer.alloc(8), 0)],
  ["SETTINGS", () => frame(TYPE.settings, 0, empty, 0)],
  ["SETTINGS that change windows", () => frame(TYPE.settings, 0, settingsPayload(4, 1), 0)],
  ["acknowledged SETTINGS", () => frame(TYPE.settings, 1, empty, 0)],
  ["DATA without content", () => data(1, "", false)],
  ["WINDOW_UPDATE of 1", () => windowUpdate(1, 1)],
  ["WINDOW_UPDATE of the connection", () => windowUpdate(0, 1)],
  ["PRIORITY", () => frame(TYPE.priority, 0, Buffer.alloc(5), 1)],
  ["GOAWAY", () => frame(TYPE.goaway, 0, Buffer.alloc(8), 0)],
  ["unknown frames", () => frame(0x77, 0, empty, 0)],
];

for (const [what, step] of idle) {
  test(`attack-46 flood of ${what} ends the connection`, (t) => {
    const end = End.server();
    end.receive(end.post(1));
    const [rounds, closed] = flood(end, () => end.receive(step(end)));
    t.is(closed, "closed idle_frame_flood");
    near(t, rounds, idleFrames.burst);
  });
}

test("attack-46 idle frames at a low rate, or beside content, are no flood", (t) => {
  const slow = End.server();
  const [rounds] = flood(
    slow,
    () => {
      slow.nowMs += 1000 / idleFrames.perSecond;
      slow.receive(ping);
    },
    5000,
  );
  t.is(rounds, 5000);
  // grpc measures the bandwidth by a PING for content that came.
  const measured = End.server();
  measured.receive(measured.post(1));
  const [beside] = flood(measured, () => measured.receive(ping, ping, data(1, "x", false)), 5000);
  t.is(beside, 5000);
  // Who receives updates both windows for each frame.
  const reader = End.server();
  reader.receive(reader.get(1));
  reader.respond(reader.opened.get(1)!, false);
  const [read] = flood(
    reader,
    () => {
      reader.opened.get(1)!.send(Buffer.from("x"), false);
      reader.receive(windowUpdate(1, 1), windowUpdate(0, 1));
    },
    5000,
  );
  t.is(read, 5000);
});

test("attack-46 interim responses without end cost the server its connection", (t) => {
  const end = End.client();
  end.request("GET", "/", true);
  const block = () => end.block([":status", "103"]);
  const [rounds] = flood(end, () => end.receive(frame(TYPE.headers, 4, block(), 1)), 10_000);
  t.true(rounds <= idleFrames.burst + 10, `${rounds}`);
});

test("attack-46 replies to a peer that does not read are bounded", (t) => {
  const end = End.server({ limits: { idleFrames: { burst: 1e9, perSecond: 0 } } });
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping));
  let received = 0;
  while (!end.connection.closed && received < 100 * REPLY_BYTES_MAX) {
    end.receive(pings);
    received += pings.length;
  }
  t.is(end.told.at(-1), "closed reply_flood");
  t.true(received < REPLY_BYTES_MAX + 2 * pings.length);
});

test("attack-46 CONTINUATION flood ends the connection", (t) => {
  const end = End.server();
  end.receive(end.get(1, "/", [], 1));
  let frames = 0;
  while (!end.connection.closed) {
    end.receive(frame(TYPE.continuation, 0, empty, 1));
    frames += 1;
  }
  t.is(end.told.at(-1), "closed continuation_flood");
  t.is(frames, CONTINUATIONS_MAX + 1);
  t.deepEqual(end.sent(), ["goaway 0 ENHANCE_YOUR_CALM"]);
});

test("attack-46 header block of more than 64 KiB ends the connection", (t) => {
  const end = End.server();
  end.receive(end.get(1, "/", [], 1));
  const part = frame(TYPE.continuation, 0, Buffer.alloc(FRAME_BYTES_MAX, 0x82), 1);
  let bytes = 0;
  while (!end.connection.closed) {
    end.receive(part);
    bytes += FRAME_BYTES_MAX;
  }
  t.is(end.told.at(-1), "closed header_block_too_long");
  t.true(bytes <= BLOCK_BYTES_MAX);
});

test("attack-46 hpack bomb ends the connection", (t) => {
  const end = End.server();
  const name = Buffer.concat([Buffer.from("40017a7fa11e", "hex"), Buffer.alloc(4000, 0x62)]);
  end.receive(frame(TYPE.headers, 5, name, 1), frame(TYPE.headers, 5, Buffer.alloc(9000, 0xbe), 3));
  t.is(end.told.at(-1), "closed header_bomb");
  t.is(end.sent().at(-1), "goaway 1 ENHANCE_YOUR_CALM");
});

test("attack-46 tiny windows hold no more than a stream's own content, and not for ever", (t) => {
  const options: EndOptions = { limits: { sendStallMaxMs: 1000 } };
  const end = End.server(options);
  end.receive(frame(TYPE.settings, 0, settingsPayload(4, 0), 0));
  end.serve = (stream) => {
    end.respond(stream, false);
    t.false(stream.send(Buffer.alloc(10_000), true), "whoever sends is told to wait");
  };
  for (let id = 1; id < 200; id += 2) end.receive(end.get(id));
  end.sent();
  end.nowMs = 600;
  end.receive(windowUpdate(1, 1));
  end.sent();
  end.connection.sweep(999);
  t.is(end.connection.streams, 100);
  end.connection.sweep(1000);
  t.is(end.connection.streams, 1, "one of them went on meanwhile");
  t.is(end.told.at(-1), "reset 199 CANCEL by us send_stalled");
  end.connection.sweep(1600);
  t.is(end.connection.streams, 0);
});

test("attack-46 output of a connection is bounded by what one flush may hold", (t) => {
  const end = End.server();
  end.receive(windowUpdate(0, 2 ** 30), frame(TYPE.settings, 0, settingsPayload(4, 2 ** 30), 0));
  for (const id of [1, 3]) end.receive(end.get(id));
  for (const id of [1, 3]) {
    end.respond(end.opened.get(id)!, false);
    end.opened.get(id)!.send(Buffer.alloc(4 * OUTPUT_BYTES_MAX), true);
  }
  let flushes = 0;
  do {
    const bytes = end.connection.flush().reduce((sum, part) => sum + part.length, 0);
    t.true(bytes <= OUTPUT_BYTES_MAX + FRAME_BYTES_MAX + 100, `${bytes}`);
    flushes += 1;
  } while (end.connection.waits);
  t.true(flushes >= 8);
});

test("attack-46 memory of a connection stays flat under each flood", (t) => {
  const steps: readonly ((end: End, id: number) => Buffer[])[] = [
    (end, id) => [end.get(id), rstStream(id, 8)],
    (end, id) => [end.get(id, "no-slash")],
    () => [ping],
    (_end, id) => [
      frame(TYPE.headers, 1, Buffer.alloc(0), id),
      frame(TYPE.continuation, 4, Buffer.alloc(0), id),
    ],
  ];
  const unlimited = { burst: 1e9, perSecond: 0 };
  for (const step of steps) {
    const end = End.server({ limits: { resets: unlimited, idleFrames: unlimited } });
    const run = (from: number) => {
      for (let round = from; round < from + 10_000; round += 1) {
        end.receive(...step(end, 1 + round * 2));
        end.bytes();
        end.told.length = 0;
        end.opened.clear();
      }
    };
    run(0);
    const before = process.memoryUsage();
    run(10_000);
    run(20_000);
    const after = process.memoryUsage();
    t.false(end.connection.closed);
    const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
    t.true(grown < 48 * 1024 * 1024, `${grown} bytes`);
  }
});
