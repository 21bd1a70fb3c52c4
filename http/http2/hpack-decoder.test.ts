import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { encodeFields, fieldsOf } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { readVectors } from "#/test/kit/vectors.ts";
import { ERROR } from "./error-code.ts";
import { FLAG } from "./field-block.ts";
import { KIND } from "./field-kind.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { BLOCK_FIELDS_MAX, LIST_BYTES_BOMB, LIST_BYTES_MAX } from "./limits.ts";

interface Vector {
  readonly name: string;
  readonly tableBytes?: number;
  readonly blocks: readonly { readonly hex: string; readonly fields: readonly Field[] }[];
}

const vectors = readVectors("http2/hpack.json") as readonly Vector[];

function hex(...parts: readonly string[]): Buffer {
  return Buffer.from(parts.join("").replaceAll(" ", ""), "hex");
}

function decode(decoder: HpackDecoder, block: Buffer): number | readonly Field[] {
  const code = decoder.decode(block, 0, block.length);
  return code === 0 ? fieldsOf(decoder.block) : code;
}

for (const { name, tableBytes, blocks } of vectors) {
  test(`hpack decoder reads RFC 7541 ${name}`, (t) => {
    const decoder = new HpackDecoder();
    // 256 as an update of the table's size.
    const update = tableBytes === 256 ? "3fe101" : "";
    for (const [index, block] of blocks.entries()) {
      t.deepEqual(decode(decoder, hex(index === 0 ? update : "", block.hex)), block.fields);
    }
  });
}

const broken: readonly (readonly [string, string])[] = [
  ["index 0", "80"],
  ["an index beyond both tables", "be"],
  ["an index beyond both tables in more bytes", "ffff7f"],
  ["a name's index beyond both tables", "7f0001 61"],
  ["an integer that does not end", "ff80808080"],
  ["an integer of too many bytes", "ff8080808001"],
  ["an integer that is cut", "ff"],
  ["a name that is cut", "4003 6161"],
  ["a value that is missing", "4001 61"],
  ["a value that is cut", "4001 61 05 61"],
  ["a length beyond the block", "4001 61 7fffffff7f"],
  ["an update larger than we offered", "3fe2 1f"],
  ["an update after a field", "82 20"],
  ["a third update", "20 20 20 82"],
  ["Huffman's end of string", "4184 ffffffff"],
  ["Huffman's code with bad padding", "4181 00"],
  ["Huffman's code with a byte of padding", "4182 07ff"],
];

for (const [what, bytes] of broken) {
  test(`hpack decoder refuses ${what}`, (t) => {
    t.is(decode(new HpackDecoder(), hex(bytes)), ERROR.compressionError);
  });
}

const faults: readonly (readonly [string, string, number])[] = [
  ["a name in upper case", "0001 41 01 61", FLAG.badName],
  ["an empty name", "0000 01 61", FLAG.badName],
  ["a space in a name", "0003 612061 01 61", FLAG.badName],
  ["a colon in a name", "0003 613a61 01 61", FLAG.badName],
  ["an unknown pseudo-header field", "0003 3a6162 01 61", FLAG.badName],
  ["a bare colon", "0001 3a 01 61", FLAG.badName],
  ["a line feed in a value", "0001 61 03 610a61", FLAG.badValue],
  ["a carriage return in a value", "0001 61 03 610d61", FLAG.badValue],
  ["NUL in a value", "0001 61 01 00", FLAG.badValue],
  ["DEL in a value", "0001 61 01 7f", FLAG.badValue],
  ["a value that begins with a space", "0001 61 02 2061", FLAG.badValue],
  ["a value that ends with a tab", "0001 61 02 6109", FLAG.badValue],
  ["a value of one space", "0001 61 01 20", FLAG.badValue],
];

for (const [what, bytes, flag] of faults) {
  test(`attack-43 hpack decoder notes ${what}, also when the line comes by its index`, (t) => {
    const decoder = new HpackDecoder();
    t.not(typeof decode(decoder, hex(bytes)), "number");
    t.is(decoder.block.flags, flag);
    const kept = hex(bytes);
    kept[0] = 0x40;
    decode(decoder, kept);
    t.is(decoder.block.flags, flag);
    decode(decoder, hex("82"));
    t.is(decoder.block.flags, 0);
    decode(decoder, hex("82 be"));
    t.is(decoder.block.flags, flag, "by index");
    decode(decoder, hex("7e 01 62"));
    t.is(decoder.block.flags, flag & FLAG.badName, "its name alone");
  });
}

test("hpack decoder knows kinds, repeats and late pseudo-header fields", (t) => {
  const decoder = new HpackDecoder();
  const encoder = new HpackEncoder();
  const block = encodeFields(encoder, [
    [":method", "GET"],
    ["cookie", "a=1"],
    ["cookie", "b=2"],
    [":path", "/"],
    ["transfer_encoding", "chunked"],
  ]);
  decode(decoder, block);
  t.true(decoder.block.has(KIND.method) && decoder.block.has(KIND.path));
  t.is(decoder.block.repeated, 1 << KIND.cookie);
  t.is(decoder.block.first[KIND.cookie], 1);
  t.true(decoder.block.has(KIND.disguisedFraming));
  t.true(decoder.block.pseudoLate);
  t.is(decoder.block.value(Buffer.from("transfer_encoding")), "chunked");
});

test("attack-46 hpack decoder leaves out what is beyond the list, and goes on", (t) => {
  const decoder = new HpackDecoder();
  const many = Buffer.alloc(BLOCK_FIELDS_MAX + 1, 0x82);
  t.is((decode(decoder, many) as readonly Field[]).length, BLOCK_FIELDS_MAX);
  t.true(decoder.block.tooLarge);
  decode(decoder, many.subarray(1));
  t.false(decoder.block.tooLarge);
  // The line is kept in the table all the same, or both ends would differ from here on.
  const long = Buffer.concat([hex("4001 61 7f a1 1e"), Buffer.alloc(4000, 0x62)]);
  decode(decoder, long);
  decode(
    decoder,
    Buffer.concat([Buffer.alloc(LIST_BYTES_MAX / 4000 + 1, 0xbe), hex("4001 63 01 64")]),
  );
  t.true(decoder.block.tooLarge);
  t.deepEqual(decode(decoder, hex("be")), [["c", "d"]]);
});

test("attack-46 hpack bomb ends the connection before it unfolds", (t) => {
  const decoder = new HpackDecoder();
  decode(decoder, Buffer.concat([hex("4001 61 7f a1 1e"), Buffer.alloc(4000, 0x62)]));
  const references = Math.ceil(LIST_BYTES_BOMB / 4000) + 1;
  t.is(decode(decoder, Buffer.alloc(references, 0xbe)), ERROR.enhanceYourCalm);
  // A long name that is written again and again for three bytes each.
  const names = new HpackDecoder();
  const name = Buffer.concat([hex("40 7f a1 1e"), Buffer.alloc(4000, 0x62), hex("00")]);
  decode(names, name);
  const before = process.memoryUsage().arrayBuffers;
  t.is(decode(names, Buffer.alloc(3000 * 2, hex("7e00"))), ERROR.enhanceYourCalm);
  t.true(process.memoryUsage().arrayBuffers - before < 4 * LIST_BYTES_BOMB);
});

test("hpack decoder keeps its lines over thousands of blocks, and its memory small", (t) => {
  const decoder = new HpackDecoder();
  const encoder = new HpackEncoder();
  for (let round = 0; round < 5000; round += 1) {
    const fields: Field[] = [
      [":path", `/${round}`],
      ["x-stable", "s".repeat(200)],
      ["x-other", String(round % 3)],
      [`x-${round % 40}`, "v"],
    ];
    t.deepEqual(decode(decoder, encodeFields(encoder, fields)), fields);
  }
  t.true(decoder.block.bytes.length <= 64 * 1024);
});

const name = fc.stringMatching(/^[a-z-]{1,12}$/);
const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,20}[!-~])?)?$/);
const known = fc.constantFrom<Field>(
  [":method", "GET"],
  [":path", "/"],
  [":status", "200"],
  ["cookie", "a=b"],
  ["accept-encoding", "gzip, deflate"],
  ["x-signet-peer", "spiffe://a/ns/b/sa/c"],
);
const fields = fc.array(fc.oneof(known, fc.tuple(name, value)), { maxLength: 12 });

test("hpack property: what is encoded comes back, whatever table sizes change between blocks", (t) => {
  const sizes = fc.constantFrom(-1, -1, -1, 0, 64, 256, 4096, 65536);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fields, sizes), { maxLength: 12 }),
      fc.boolean(),
      (blocks, huffman) => {
        const decoder = new HpackDecoder();
        const encoder = new HpackEncoder(huffman);
        for (const [list, size] of blocks) {
          if (size >= 0) encoder.resize(size);
          t.deepEqual(decode(decoder, encodeFields(encoder, list)), list);
        }
      },
    ),
    fuzzOptions(t, 500),
  );
});

test("hpack property: forwarded through a second table, every field arrives, with new and old lines", (t) => {
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 12 }), (blocks) => {
      const [first, second] = [new HpackEncoder(), new HpackEncoder()];
      const [middle, last] = [new HpackDecoder(), new HpackDecoder()];
      for (const list of blocks) {
        t.deepEqual(decode(middle, encodeFields(first, list)), list);
        second.begin();
        second.forward(middle.block, 1 << KIND.cookie);
        const expected = list.filter(([each]) => each !== "cookie");
        t.deepEqual(decode(last, second.bytes.subarray(0, second.length)), expected);
      }
    }),
    fuzzOptions(t, 500),
  );
});

test("hpack property: any bytes end in fields or one of two errors, and never in an exception", (t) => {
  const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    maxLength: 4,
  });
  const valid = fields.map((list) => encodeFields(new HpackEncoder(), list));
  const mutated = fc.tuple(valid, mutations).map(([bytes, changes]) => {
    for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });
  const decoder = new HpackDecoder();
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        const found = decode(decoder, bytes);
        if (typeof found === "number")
          t.true(found === ERROR.compressionError || found === ERROR.enhanceYourCalm);
      },
    ),
    fuzzOptions(t, 3000),
  );
});

test("hpack decoder keeps as many entries as the table may have", (t) => {
  const decoder = new HpackDecoder();
  // 127 entries of 33 bytes; empty values.
  for (let index = 0; index < 200; index += 1) {
    const name = String.fromCharCode(0x61 + (index % 26));
    t.deepEqual(decode(decoder, hex(`4001${Buffer.from(name).toString("hex")}00`)), [[name, ""]]);
    if (index < 124) {
      // The oldest one.
      const at = 62 + index;
      const oldest = at < 127 ? hex((0x80 | at).toString(16)) : Buffer.of(0xff, at - 127);
      t.deepEqual(decode(decoder, oldest), [["a", ""]]);
    }
  }
  t.is(decode(decoder, Buffer.of(0xff, 62 + 124 - 127)), ERROR.compressionError);
});
