import test from "ava";
import type { Field } from "#/test/kit/header-fields.ts";
import { blockOf, linesOrReason } from "#/test/kit/translated.ts";
import { TRAILER_BYTES_MAX, ChunkedScanner } from "../http1/chunked.ts";
import { TRAILER_NAME_BYTES_MAX } from "../http1/trailers.ts";
import { CHUNK_END, LAST_CHUNK, chunkOf, chunkStart } from "./chunk.ts";
import { lastChunkWith } from "./trailer-lines.ts";

const linesOf = (fields: readonly Field[]): readonly string[] | string =>
  linesOrReason(lastChunkWith(blockOf(fields)));

test("last chunk has the trailers behind it", (t) => {
  t.deepEqual(
    linesOf([
      ["grpc-status", "0"],
      ["x-checksum", "1"],
      ["x-checksum", ""],
    ]),
    ["0", "grpc-status: 0", "x-checksum: 1", "x-checksum: "],
  );
});

for (const [name, value, reason] of [
  ["content-length", "5", "trailer_refused"],
  ["transfer-encoding", "chunked", "trailer_refused"],
  ["host", "b", "trailer_refused"],
  ["connection", "close", "trailer_refused"],
  ["x-signet-peer", "a", "trailer_refused"],
  ["authorization", "a", "trailer_refused"],
  ["set-cookie", "a=b", "trailer_refused"],
  ["content_length", "5", "trailer_refused"],
  ["x".repeat(TRAILER_NAME_BYTES_MAX + 1), "1", "trailer_refused"],
  ["grpc-".padEnd(TRAILER_NAME_BYTES_MAX + 1, "x"), "1", "trailer_refused"],
  ["x-a", "1\r\n\r\nGET / HTTP/1.1", "control_byte"],
  ["x-a", "\n", "control_byte"],
  ["x-a: 1\r\nx", "1", "bad_field_name"],
  ["X-A", "1", "bad_field_name"],
  ["", "1", "trailer_refused"],
  [":path", "/", "bad_field_name"],
] as const) {
  test(`attack-43 last chunk has no trailer ${JSON.stringify(`${name}: ${value}`)}`, (t) => {
    t.is(
      linesOf([
        ["x-b", "1"],
        [name, value],
      ]),
      reason,
    );
  });
}

test("last chunk has no more trailers than a reader of HTTP/1 takes", (t) => {
  const room = TRAILER_BYTES_MAX - "x-a: \r\n\r\n".length;
  const most = lastChunkWith(blockOf([["x-a", "x".repeat(room)]]));
  t.true(typeof most !== "number");
  const scanner = new ChunkedScanner();
  t.is(scanner.consume(most as Buffer, 0, (most as Buffer).length), (most as Buffer).length);
  t.true(scanner.done);
  t.is(linesOf([["x-a", "x".repeat(room + 1)]]), "trailers_too_long");
});

for (const length of [1, 9, 15, 16, 17, 255, 256, 4095, 4096, 65_536, 1_000_000]) {
  test(`chunk of ${length} bytes is read as it was written`, (t) => {
    const content = Buffer.alloc(length, "x");
    const chunk = chunkOf(content);
    t.deepEqual(chunk, Buffer.concat([chunkStart(length), content, CHUNK_END]));
    const scanner = new ChunkedScanner();
    t.is(scanner.consume(chunk, 0, chunk.length), chunk.length);
    t.is(scanner.contentBytes, length);
    t.false(scanner.done);
    t.is(scanner.consume(LAST_CHUNK, 0, LAST_CHUNK.length), LAST_CHUNK.length);
    t.true(scanner.done);
  });
}

test("attack-42 a chunk of no bytes, which would end the message, is not made", (t) => {
  t.throws(() => chunkOf(Buffer.alloc(0)), { message: "Cannot make a chunk of no bytes" });
  t.throws(() => chunkStart(0), { message: 'Cannot begin a chunk of "0" bytes' });
});
