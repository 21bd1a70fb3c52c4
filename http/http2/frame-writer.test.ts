import test from "ava";
import { frame } from "#/test/kit/http2-frame.ts";
import { TYPE } from "./frame.ts";
import {
  writeData,
  writeGoaway,
  writeHeaders,
  writePing,
  writeRstStream,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "./frame-writer.ts";
import { COPIED_BYTES_MAX, Output } from "./output.ts";

function written(write: (output: Output) => void): string {
  const output = new Output();
  write(output);
  const { length } = output;
  const bytes = Buffer.concat(output.take());
  if (bytes.length !== length) throw new Error("Bytes were counted wrongly");
  return bytes.toString("hex");
}

function hex(...frames: readonly Buffer[]): string {
  return Buffer.concat(frames).toString("hex");
}

const eight = Buffer.from("0102030405060708", "hex");
const [four, minus] = [Buffer.from("00000008", "hex"), Buffer.from("ffffffff", "hex")];

test("frame writer writes each frame as the RFC has it", (t) => {
  t.is(
    written((to) => writePing(to, true, eight, 0)),
    hex(frame(TYPE.ping, 1, eight, 0)),
  );
  t.is(
    written((to) => writePing(to, false, eight, 0)),
    hex(frame(TYPE.ping, 0, eight, 0)),
  );
  t.is(
    written((to) => writeRstStream(to, 5, 8)),
    hex(frame(TYPE.rstStream, 0, four, 5)),
  );
  t.is(
    written((to) => writeRstStream(to, 5, 2 ** 32 - 1)),
    hex(frame(TYPE.rstStream, 0, minus, 5)),
  );
  t.is(
    written((to) => writeWindowUpdate(to, 2 ** 31 - 1, 8)),
    hex(frame(8, 0, four, 2 ** 31 - 1)),
  );
  const goaway = frame(TYPE.goaway, 0, Buffer.concat([four, four]), 0);
  t.is(
    written((to) => writeGoaway(to, 8, 8)),
    hex(goaway),
  );
  t.is(written(writeSettingsAck), hex(frame(TYPE.settings, 1, Buffer.alloc(0), 0)));
  const settings = Buffer.from("0003000000640004ffffffff", "hex");
  t.is(
    written((to) =>
      writeSettings(to, [
        [3, 100],
        [4, 2 ** 32 - 1],
      ]),
    ),
    hex(frame(TYPE.settings, 0, settings, 0)),
  );
  t.is(
    written((to) => writeData(to, 3, true, eight, 2, 5)),
    hex(frame(TYPE.data, 1, eight.subarray(2, 5), 3)),
  );
});

test("frame writer parts a block that is larger than a frame into CONTINUATIONs", (t) => {
  const block = Buffer.from(Array.from({ length: 10 }, (_, index) => index));
  const write = (frameBytesMax: number, length: number) =>
    written((to) => writeHeaders(to, 1, true, block, length, frameBytesMax));
  t.is(write(10, 10), hex(frame(TYPE.headers, 5, block)));
  t.is(write(10, 9), hex(frame(TYPE.headers, 5, block.subarray(0, 9))));
  const parts = [
    frame(TYPE.headers, 1, block.subarray(0, 4)),
    frame(TYPE.continuation, 0, block.subarray(4, 8)),
    frame(TYPE.continuation, 4, block.subarray(8)),
  ];
  t.is(write(4, 10), hex(...parts));
});

test("output refers to what is large, copies what is small, and keeps the order", (t) => {
  const output = new Output();
  const large = Buffer.alloc(COPIED_BYTES_MAX + 1, 1);
  const small = Buffer.alloc(COPIED_BYTES_MAX, 2);
  output.append(small, 0, 10);
  output.append(large, 0, large.length);
  output.append(small, 0, small.length);
  output.append(small, 3, 3);
  t.is(output.length, 10 + large.length + small.length);
  const parts = output.take();
  t.is(parts.length, 3);
  t.is(parts[1]!.buffer, large.buffer);
  small.fill(9);
  t.deepEqual([parts[0]![0], parts[2]![0]], [2, 2]);
  t.is(output.length, 0);
  t.deepEqual(output.take(), []);
});

test("output never writes into what was taken, however much a turn needs", (t) => {
  const output = new Output();
  const taken: { readonly bytes: Buffer; readonly value: number }[] = [];
  for (let turn = 0; turn < 50; turn += 1) {
    const source = Buffer.alloc((turn * 977) % 3000, turn);
    for (let count = 0; count < 40; count += 1) output.append(source, 0, source.length);
    for (const bytes of output.take()) taken.push({ bytes, value: turn });
  }
  for (const { bytes, value } of taken) t.true(bytes.every((byte) => byte === value));
});
