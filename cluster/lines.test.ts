import test from "ava";
import * as fc from "fast-check";
import { LineReader } from "./lines.ts";

function read(chunks: readonly Buffer[], max?: number): readonly string[] {
  const seen: string[] = [];
  const handlers = {
    onLine: (text: string) => void seen.push(text),
    onTooLong: () => void seen.push("<too long>"),
  };
  const reader = max === undefined ? new LineReader(handlers) : new LineReader(handlers, max);
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

test("LineReader gives the same lines however the bytes are cut", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.array(fc.nat(64)), (text, cuts) => {
      const bytes = Buffer.from(`${text}\né\n`);
      const chunks: Buffer[] = [];
      let from = 0;
      for (const cut of cuts) {
        chunks.push(bytes.subarray(from, from + cut));
        from += cut;
      }
      chunks.push(bytes.subarray(from));
      t.deepEqual(read(chunks), read([bytes]));
    }),
  );
});

test("attack-25 LineReader drops a line above the limit whole and reads the next one", (t) => {
  const chunks = ["abc", "defgh", "ij\nok\n12345\n123456\n"].map((text) => Buffer.from(text));
  t.deepEqual(read(chunks, 5), ["<too long>", "ok", "12345", "<too long>"]);
});

test("LineReader keeps a line that has not ended", (t) => {
  t.deepEqual(read([Buffer.from("half")]), []);
});
