import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryCuts } from "#/test/kit/http1-arbitrary.ts";
import { arbitraryFrame, mutatedBytes, pieces } from "#/test/kit/http2-arbitrary.ts";
import { frame } from "#/test/kit/http2-frame.ts";
import { ERROR } from "./error-code.ts";
import { FRAME_BYTES_MAX, TYPE } from "./frame.ts";
import { FrameScanner, SCAN } from "./frame-scanner.ts";

/** What the scanner tells of bytes in pieces; parts of one content are put together. */
function scan(parts: readonly Buffer[]): unknown[] {
  const scanner = new FrameScanner();
  const told: unknown[] = [];
  let content = "";
  for (const part of parts) {
    scanner.feed(part);
    for (;;) {
      const what = scanner.next();
      if (what === SCAN.more) break;
      if (what < 0) return [...told, { error: -what }];
      const { type, flags, streamId, length } = scanner;
      const payload = scanner.buffer.toString("hex", scanner.start, scanner.end);
      if (what === SCAN.content) {
        content += payload;
        if (!scanner.last) continue;
        told.push({ content });
        content = "";
      } else if (what === SCAN.frame) {
        told.push({ type, flags, streamId, payload, dependency: scanner.dependency });
      } else told.push({ type, flags, streamId, length });
    }
  }
  return told;
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

const empty = Buffer.alloc(0);

test("frame scanner tells DATA without its padding, and what carries a block without what is before", (t) => {
  const [data, padded, headers, unknown] = [
    frame(TYPE.data, 1, bytes("616263"), 3),
    frame(TYPE.data, 8, bytes("02 61 0000"), 3),
    frame(TYPE.headers, 0x2d, bytes("01 80000005 ff 82 00"), 7),
    frame(0x77, 0xff, bytes("0102"), 9),
  ];
  t.deepEqual(scan([Buffer.concat([data, padded, headers, unknown])]), [
    { type: 0, flags: 1, streamId: 3, length: 3 },
    { content: "616263" },
    { type: 0, flags: 8, streamId: 3, length: 4 },
    { content: "61" },
    { type: 1, flags: 0x2d, streamId: 7, payload: "82", dependency: 5 },
    { type: 0x77, flags: 0xff, streamId: 9, length: 2 },
  ]);
});

test("frame scanner carries content on as views of the received bytes", (t) => {
  const scanner = new FrameScanner();
  const received = frame(TYPE.data, 0, Buffer.alloc(100, 1), 1);
  scanner.feed(received);
  t.is(scanner.next(), SCAN.data);
  t.is(scanner.next(), SCAN.content);
  t.is(scanner.buffer, received);
  t.deepEqual([scanner.start, scanner.end, scanner.last], [9, 109, true]);
  t.is(scanner.next(), SCAN.more);
});

test("frame scanner ignores the reserved bit of a stream's number", (t) => {
  const reserved = frame(TYPE.ping, 0, Buffer.alloc(8), 0);
  reserved[5] = 0x80;
  t.like(scan([reserved])[0], { type: TYPE.ping, streamId: 0 });
});

const refused: readonly (readonly [string, Buffer, number])[] = [
  ["DATA on no stream", frame(TYPE.data, 0, empty, 0), ERROR.protocolError],
  ["HEADERS on no stream", frame(TYPE.headers, 4, empty, 0), ERROR.protocolError],
  ["PRIORITY on no stream", frame(TYPE.priority, 0, Buffer.alloc(5), 0), ERROR.protocolError],
  ["RST_STREAM on no stream", frame(TYPE.rstStream, 0, Buffer.alloc(4), 0), ERROR.protocolError],
  [
    "PUSH_PROMISE on no stream",
    frame(TYPE.pushPromise, 4, Buffer.alloc(4), 0),
    ERROR.protocolError,
  ],
  ["CONTINUATION on no stream", frame(TYPE.continuation, 4, empty, 0), ERROR.protocolError],
  ["SETTINGS on a stream", frame(TYPE.settings, 0, empty, 1), ERROR.protocolError],
  ["PING on a stream", frame(TYPE.ping, 0, Buffer.alloc(8), 1), ERROR.protocolError],
  ["GOAWAY on a stream", frame(TYPE.goaway, 0, Buffer.alloc(8), 1), ERROR.protocolError],
  ["RST_STREAM of 3 bytes", frame(TYPE.rstStream, 0, Buffer.alloc(3), 1), ERROR.frameSizeError],
  ["RST_STREAM of 5 bytes", frame(TYPE.rstStream, 0, Buffer.alloc(5), 1), ERROR.frameSizeError],
  ["SETTINGS of 5 bytes", frame(TYPE.settings, 0, Buffer.alloc(5), 0), ERROR.frameSizeError],
  ["an ACK with settings", frame(TYPE.settings, 1, Buffer.alloc(6), 0), ERROR.frameSizeError],
  ["PING of 7 bytes", frame(TYPE.ping, 0, Buffer.alloc(7), 0), ERROR.frameSizeError],
  ["GOAWAY of 7 bytes", frame(TYPE.goaway, 0, Buffer.alloc(7), 0), ERROR.frameSizeError],
  ["WINDOW_UPDATE of 3 bytes", frame(TYPE.windowUpdate, 0, Buffer.alloc(3)), ERROR.frameSizeError],
  ["PUSH_PROMISE of 3 bytes", frame(TYPE.pushPromise, 4, Buffer.alloc(3)), ERROR.frameSizeError],
  ["padding as long as the payload", frame(TYPE.data, 8, bytes("02 61")), ERROR.protocolError],
  ["padding without its length", frame(TYPE.data, 8, empty), ERROR.frameSizeError],
  ["HEADERS of nothing but padding", frame(TYPE.headers, 0xc, bytes("01")), ERROR.protocolError],
  ["HEADERS padded without a length", frame(TYPE.headers, 0xc, empty), ERROR.frameSizeError],
  [
    "HEADERS too short for priority",
    frame(TYPE.headers, 0x24, Buffer.alloc(4)),
    ERROR.frameSizeError,
  ],
  [
    "priority that is padding",
    frame(TYPE.headers, 0x2c, bytes("01 00000000 10")),
    ERROR.protocolError,
  ],
  [
    "a frame that is too long",
    frame(TYPE.data, 0, Buffer.alloc(FRAME_BYTES_MAX + 1)),
    ERROR.frameSizeError,
  ],
  [
    "an unknown one that is too long",
    frame(0x77, 0, Buffer.alloc(FRAME_BYTES_MAX + 1)),
    ERROR.frameSizeError,
  ],
];

for (const [what, received, error] of refused) {
  test(`frame scanner refuses ${what}`, (t) => {
    const good = frame(TYPE.ping, 0, Buffer.alloc(8), 0);
    const told = scan([Buffer.concat([good, received, good])]);
    t.deepEqual(told.at(-1), { error });
    t.true(told.length <= 3);
  });
}

test("frame scanner refuses a frame that is too long by its head alone, and stays so", (t) => {
  const scanner = new FrameScanner();
  scanner.feed(frame(TYPE.headers, 4, Buffer.alloc(FRAME_BYTES_MAX + 1)).subarray(0, 9));
  t.is(scanner.next(), -ERROR.frameSizeError);
  scanner.feed(frame(TYPE.ping, 0, Buffer.alloc(8), 0));
  t.is(scanner.next(), -ERROR.frameSizeError);
});

test("frame scanner property: any cut tells the same, and nothing is thrown", (t) => {
  const several = fc.array(arbitraryFrame, { maxLength: 6 }).map((frames) => Buffer.concat(frames));
  const input = fc.oneof(several, mutatedBytes(several));
  fc.assert(
    fc.property(input, arbitraryCuts, (received, cuts) => {
      const whole = scan([received]);
      t.deepEqual(scan(pieces(received, cuts)), whole);
      t.deepEqual(scan(Array.from(received, (byte) => Buffer.of(byte))), whole);
    }),
    fuzzOptions(t, 1000),
  );
});
