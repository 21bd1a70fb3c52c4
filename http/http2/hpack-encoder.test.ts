import test from "ava";
import { addField, encodeFields, fieldsOf } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { FLAG } from "./field-block.ts";
import { kindOf } from "./field-kind.ts";
import { fieldLine } from "./field-line.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { LINE_NONE } from "./line-number.ts";
import { staticNameOf } from "./name-index.ts";

function blockOf(encoder: HpackEncoder, ...fields: readonly Field[]): string {
  return encodeFields(encoder, fields).toString("hex");
}

function decodeInto(decoder: HpackDecoder, hex: string): readonly Field[] {
  const bytes = Buffer.from(hex, "hex");
  if (decoder.decode(bytes, 0, bytes.length) !== 0) throw new Error("Cannot decode");
  return fieldsOf(decoder.block);
}

test("hpack encoder writes lines of the static table by their index", (t) => {
  const encoder = new HpackEncoder();
  const all: readonly Field[] = [
    [":method", "POST"],
    [":path", "/index.html"],
    [":status", "404"],
    ["accept-encoding", "gzip, deflate"],
    ["accept", ""],
  ];
  t.is(blockOf(encoder, ...all), "83858d9093");
});

test("hpack encoder keeps a line the first time and writes its index from then on", (t) => {
  const encoder = new HpackEncoder();
  t.is(blockOf(encoder, ["x-a", "b"]), "4003782d610162");
  t.is(blockOf(encoder, ["x-a", "b"]), "be");
  t.is(blockOf(encoder, ["x-c", "d"], ["x-a", "b"]), "4003782d630164bf");
});

test("hpack encoder never indexes secrets, or what its sender marked so", (t) => {
  for (const name of ["authorization", "proxy-authorization", "cookie", "set-cookie"]) {
    const encoder = new HpackEncoder();
    const first = blockOf(encoder, [name, "s=1"]);
    t.is(first[0], "1", "never indexed");
    t.is(blockOf(encoder, [name, "s=1"]), first);
  }
  const decoder = new HpackDecoder();
  decodeInto(decoder, "1003782d610162");
  const encoder = new HpackEncoder();
  for (let round = 0; round < 2; round += 1) {
    encoder.begin();
    encoder.forward(decoder.block, 0);
    t.is(encoder.bytes.toString("hex", 0, encoder.length), "1003782d610162");
  }
  // A secret that its sender did index leaves unindexed.
  decodeInto(decoder, "7703733d31");
  encoder.begin();
  encoder.forward(decoder.block, 0);
  t.is(encoder.bytes.toString("hex", 0, encoder.length), "1f2803733d31");
});

test("hpack encoder does not index what its sender did not", (t) => {
  const decoder = new HpackDecoder();
  decodeInto(decoder, "0003782d610162");
  const encoder = new HpackEncoder();
  for (let round = 0; round < 2; round += 1) {
    encoder.begin();
    encoder.forward(decoder.block, 0);
    t.is(encoder.bytes.toString("hex", 0, encoder.length), "0003782d610162");
  }
});

test("hpack encoder stops indexing a name whose values vary, and tries again now and then", (t) => {
  const encoder = new HpackEncoder();
  const kept: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    const first = Number.parseInt(blockOf(encoder, ["x-id", String(1000 + round)]).slice(0, 2), 16);
    if (first >= 0x40) kept.push(round);
  }
  t.deepEqual(kept, [0, 1, 2, 3, 67, 131, 195]);
  // One that stays the same, in between, is kept and stays.
  t.is(blockOf(encoder, ["x-same", "b"]).slice(0, 2), "40");
  for (let round = 0; round < 200; round += 1) {
    blockOf(encoder, ["x-id", String(5000 + round)]);
    t.is(blockOf(encoder, ["x-same", "b"]).length, 2);
  }
});

test("hpack encoder gives a name its credit back while its lines are used", (t) => {
  const encoder = new HpackEncoder();
  for (let value = 0; value < 20; value += 1) {
    t.is(blockOf(encoder, ["x-a", `v${value}`]).slice(0, 1), value === 0 ? "4" : "7");
    for (let round = 0; round < 3; round += 1) {
      t.is(blockOf(encoder, ["x-a", `v${value}`]).length, 2);
    }
  }
});

test("hpack encoder forwards kept lines of several decoders to the same entries", (t) => {
  const encoder = new HpackEncoder();
  const blocks = [1, 2, 3].map(() => {
    const decoder = new HpackDecoder();
    decodeInto(decoder, "4003782d610162");
    encoder.begin();
    encoder.forward(decoder.block, 0);
    return encoder.bytes.toString("hex", 0, encoder.length);
  });
  t.deepEqual(blocks, ["4003782d610162", "be", "be"]);
});

test("hpack encoder tells of a table made smaller and larger between two blocks", (t) => {
  const encoder = new HpackEncoder();
  blockOf(encoder, ["x-a", "b"]);
  encoder.resize(0);
  encoder.resize(1000);
  encoder.resize(10_000);
  t.is(blockOf(encoder, [":method", "GET"]), "203fe11f82");
  t.is(blockOf(encoder, ["x-a", "b"]), "4003782d610162", "it was evicted");
  encoder.resize(100_000);
  t.is(blockOf(encoder, [":method", "GET"]), "82", "no more than we use");
  encoder.resize(0);
  t.is(blockOf(encoder, ["x-a", "b"]), "200003782d610162", "nothing is kept");
});

test("hpack encoder writes prepared lines by their index once they were kept", (t) => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const line = fieldLine("x-signet-peer", "spiffe://a/ns/b/sa/c");
  const lengths = [1, 2, 3].map(() => {
    encoder.begin();
    encoder.line(line);
    const hex = encoder.bytes.toString("hex", 0, encoder.length);
    t.deepEqual(decodeInto(decoder, hex), [["x-signet-peer", "spiffe://a/ns/b/sa/c"]]);
    return encoder.length;
  });
  t.deepEqual(lengths, [36, 1, 1]);
});

test("hpack encoder does not keep lines of more than a quarter of the table", (t) => {
  const encoder = new HpackEncoder();
  t.is(blockOf(encoder, ["x-a", "b".repeat(1100)]).slice(0, 2), "00");
  t.is(blockOf(encoder, ["x-a", "b".repeat(1000)]).slice(0, 2), "40");
});

test("hpack encoder shortens by Huffman's code where it was asked to", (t) => {
  const encoder = new HpackEncoder(true);
  t.is(
    blockOf(encoder, [":authority", "www.example.com"], ["x-a", "\u0001\u0002"]),
    "418cf1e3c2e5f23a6ba0ab90f4ff4003782d61020102",
  );
});

test("hpack encoder numbers of lines that collide in its memory never change a line", (t) => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  // 512 apart: the same place.
  for (let round = 0; round < 4; round += 1) {
    for (const line of [1000, 1512, 2024]) {
      encoder.begin();
      addField(encoder, ["x-a", `v${line}`], line);
      t.deepEqual(decodeInto(decoder, encoder.bytes.toString("hex", 0, encoder.length)), [
        ["x-a", `v${line}`],
      ]);
    }
  }
});

test("hpack encoder keeps a line whose value varies only until its name is known", (t) => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const send = (name: string, value: string): number => {
    const bytes = Buffer.from(name + value, "latin1");
    const [nameEnd, end] = [name.length, bytes.length];
    const kind = kindOf(bytes, 0, nameEnd);
    const staticName = staticNameOf(bytes, 0, nameEnd);
    encoder.begin();
    const flags = FLAG.valueVaries;
    encoder.field(bytes, 0, nameEnd, nameEnd, end, kind, staticName, LINE_NONE, flags);
    const hex = encoder.bytes.toString("hex", 0, encoder.length);
    t.deepEqual(decodeInto(decoder, hex), [[name, value]]);
    return encoder.length;
  };
  t.is(send("x-varies", "1"), 1 + 9 + 2, "a literal that is kept");
  t.is(send("x-varies", "2"), 2 + 2, "the index of its name");
  t.is(send("x-varies", "1"), 2 + 2, "and no value is looked for");
  t.is(send("date", "1"), 2 + 2, "a name of the static table is known");
  t.is(send("date", "2"), 2 + 2);
  const addKnown = fieldLine("x-known", "1");
  encoder.begin();
  encoder.line(addKnown);
  decodeInto(decoder, encoder.bytes.toString("hex", 0, encoder.length));
  t.is(send("x-known", "2"), 2 + 2, "so is that of any entry");
  t.is(send("authorization", "1"), 2 + 2, "a secret never is kept");
  t.is(send("set-cookie", "1"), 2 + 2);
});

test("hpack encoder forgets the number of a line whose entry was evicted", (t) => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const once = (field: Field, line: number): number => {
    encoder.begin();
    addField(encoder, field, line);
    const hex = encoder.bytes.toString("hex", 0, encoder.length);
    t.deepEqual(decodeInto(decoder, hex), [field]);
    return encoder.length;
  };
  const first = fieldLine("x-first", "a");
  const send = (): number => {
    encoder.begin();
    encoder.line(first);
    const hex = encoder.bytes.toString("hex", 0, encoder.length);
    t.deepEqual(decodeInto(decoder, hex), [["x-first", "a"]]);
    return encoder.length;
  };
  t.deepEqual([send(), send()], [11, 1]);
  for (let index = 0; index < 60; index += 1) once([`x-${index}`, "b".repeat(100)], 2000 + index);
  t.deepEqual([send(), send()], [11, 1]);
});
