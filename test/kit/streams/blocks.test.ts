import { PassThrough } from "node:stream";
import test from "ava";
import { BlockReader, blockBytes, sendBlocks } from "./blocks.ts";

async function streamOf(blocks: number): Promise<Buffer> {
  const pipe = new PassThrough({ highWaterMark: 2 ** 24 });
  await sendBlocks(pipe, blocks * blockBytes);
  pipe.end();
  return Buffer.concat(await pipe.toArray());
}

function read(...chunks: readonly Buffer[]): BlockReader {
  const reader = new BlockReader();
  for (const chunk of chunks) reader.take(chunk);
  return reader;
}

test("BlockReader knows the stream however it is cut", async (t) => {
  const stream = await streamOf(3);
  for (const size of [1000, 4097, blockBytes - 1, blockBytes + 2, stream.length]) {
    const chunks = [];
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
    t.like(read(...chunks), { bytes: stream.length, fault: "" }, String(size));
  }
});

test("BlockReader finds what was lost, doubled, reordered or changed, and says where", async (t) => {
  const stream = await streamOf(3);
  const [first, second, third] = [0, 1, 2].map((index) =>
    stream.subarray(index * blockBytes, (index + 1) * blockBytes),
  ) as [Buffer, Buffer, Buffer];
  const changed = Buffer.from(second);
  changed[7_000]! ^= 1;
  const wrong = { lost: [third], doubled: [first], reordered: [third, second], changed: [changed] };
  for (const [what, rest] of Object.entries(wrong)) {
    t.regex(read(first, ...rest).fault, new RegExp(`from byte ${blockBytes} on`), what);
  }
  t.not(read(first, second.subarray(1)).fault, "");
});

test("sendBlocks waits for whoever does not read", async (t) => {
  const pipe = new PassThrough();
  let sent = 0;
  const sending = sendBlocks(pipe, 8 * blockBytes, (bytes) => (sent = bytes));
  await new Promise((resolve) => setImmediate(resolve));
  t.true(sent < 3 * blockBytes, String(sent));
  const reader = new BlockReader().readAll(pipe);
  await sending;
  pipe.end();
  t.like(await reader, { bytes: 8 * blockBytes, fault: "" });
});

test("sendBlocks rejects when nobody will read any more", async (t) => {
  const pipe = new PassThrough();
  const sending = sendBlocks(pipe, 8 * blockBytes);
  setImmediate(() => pipe.destroy());
  await t.throwsAsync(sending);
});
