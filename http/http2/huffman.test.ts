import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { decodeHuffman, decodedBytesMax, encodeHuffman, huffmanBytes } from "./huffman.ts";

function decode(coded: Uint8Array): string | null {
  const target = Buffer.alloc(decodedBytesMax(coded.length) + 1);
  const end = decodeHuffman(coded, 0, coded.length, target, 1);
  return end < 0 ? null : target.toString("latin1", 1, end);
}

function encode(text: string): Buffer {
  const source = Buffer.from(text, "latin1");
  const target = Buffer.alloc(huffmanBytes(source, 0, source.length));
  if (encodeHuffman(source, 0, source.length, target, 0) !== target.length) {
    throw new Error("Length was counted wrongly");
  }
  return target;
}

test("huffman codes of the RFC's examples", (t) => {
  t.is(encode("www.example.com").toString("hex"), "f1e3c2e5f23a6ba0ab90f4ff");
  t.is(encode("no-cache").toString("hex"), "a8eb10649cbf");
  t.is(encode("302").toString("hex"), "6402");
  t.is(encode("").toString("hex"), "");
});

test("huffman each byte alone and beside each length of code comes back", (t) => {
  for (let byte = 0; byte < 256; byte += 1) {
    const one = String.fromCharCode(byte);
    for (const text of [one, `0${one}`, `${one}X${one}`, `~${one}\u00ff`]) {
      t.is(decode(encode(text)), text);
    }
  }
});

test("attack-46 huffman refuses padding that is too long or not all ones, and the end of string", (t) => {
  // "0" is 00000.
  t.is(decode(Buffer.from("07", "hex")), "0");
  t.is(decode(Buffer.from("06", "hex")), null, "padding with a zero");
  t.is(decode(Buffer.from("00", "hex")), null, "padding of zeros");
  t.is(decode(Buffer.from("07ff", "hex")), null, "eleven bits of padding");
  t.is(decode(Buffer.from("ff", "hex")), null, "eight bits of padding");
  t.is(decode(Buffer.from("fffffffc", "hex")), null, "end of string");
  t.is(decode(Buffer.from("ffffffff", "hex")), null, "end of string, padded");
  t.is(decode(Buffer.from("07fffffffc", "hex")), null, "end of string after a byte");
});

test("huffman property: what is coded comes back, and what comes out of bytes codes to them", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      t.is(decode(encode(text)), text);
      // One text has one code: nothing else may be taken for it.
      const found = decode(bytes);
      if (found !== null) t.deepEqual(encode(found), Buffer.from(bytes));
    }),
    fuzzOptions(t, 2000),
  );
});
