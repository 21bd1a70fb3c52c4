import test from "ava";
import * as fc from "fast-check";
import * as encode from "./der-encode.ts";
import {
  DerError,
  contextTag,
  derLimits,
  derTag,
  openDer,
  readBitString,
  readBoolean,
  readDer,
  readInteger,
  readObjectIdentifier,
  readOctetString,
  readSmallInteger,
  readTime,
  readVisibleText,
} from "./der.ts";
import type { DerElement, DerErrorCode } from "./der.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

const refuses = test.macro(
  (t, bytes: string, code: DerErrorCode, read: (element: DerElement) => unknown = () => null) => {
    const error = t.throws(() => read(readDer(hex(bytes))), { instanceOf: DerError });
    t.is(error.code, code);
  },
);

test("readDer refuses nothing at all", refuses, "", "der_truncated");
test("readDer refuses a tag without a length", refuses, "30", "der_truncated");
test("readDer refuses content that is cut off", refuses, "30030201", "der_truncated");
test("readDer refuses a length that is cut off", refuses, "3082", "der_truncated");
test("readDer refuses bytes after the element", refuses, "05000500", "der_trailing_bytes");
test("readDer refuses the indefinite form", refuses, "30800000", "der_length_invalid");
test("readDer refuses a long length below 128", refuses, "30810100", "der_length_invalid");
test("readDer refuses a length with a leading zero", refuses, "3082008000", "der_length_invalid");
test("readDer refuses a length of 5 bytes", refuses, "308500000000ff", "der_length_invalid");
test("readDer refuses the reserved length", refuses, "30ff00", "der_length_invalid");
test("readDer refuses high tag numbers", refuses, "1f8100", "der_tag_unsupported");
test("readDer refuses end-of-contents", refuses, "0000", "der_tag_unsupported");
test("readDer refuses a primitive sequence", refuses, "1000", "der_tag_unsupported");
test("readDer refuses a constructed integer", refuses, "2203020101", "der_tag_unsupported");
test("readDer refuses a constructed bit string", refuses, "230403020001", "der_tag_unsupported");
test("readDer refuses a child beyond its parent", refuses, "3003020201", "der_truncated");
test("readDer refuses an empty integer", refuses, "0200", "der_value_invalid");
test("readDer refuses a padded integer", refuses, "02020001", "der_value_invalid");
test("readDer refuses a padded negative integer", refuses, "0202ff80", "der_value_invalid");
test("readDer refuses a boolean of 01", refuses, "010101", "der_value_invalid");
test("readDer refuses a boolean of two bytes", refuses, "0102ffff", "der_value_invalid");
test("readDer refuses an empty boolean", refuses, "0100", "der_value_invalid");
test("readDer refuses null with content", refuses, "050100", "der_value_invalid");
test("readDer refuses an empty bit string", refuses, "0300", "der_value_invalid");
test("readDer refuses 8 unused bits", refuses, "03020800", "der_value_invalid");
test("readDer refuses unused bits of nothing", refuses, "030101", "der_value_invalid");
test("readDer refuses padding bits that are set", refuses, "03020101", "der_value_invalid");
test("readDer refuses an empty object identifier", refuses, "0600", "der_value_invalid");
test("readDer refuses a padded arc", refuses, "06032a8001", "der_value_invalid");
test("readDer refuses an arc that is cut off", refuses, "06022a81", "der_value_invalid");
test("readDer refuses a set out of order", refuses, "3106020102020101", "der_value_invalid");
test("readDer refuses faults deep inside", refuses, "300430020200", "der_value_invalid");

test("readDer refuses what is nested deeper than its limit", (t) => {
  const nest = (depth: number): Uint8Array =>
    depth === 0 ? hex("0500") : encode.encodeSequence(nest(depth - 1));
  t.notThrows(() => readDer(nest(derLimits.depthMax)));
  const error = t.throws(() => readDer(nest(derLimits.depthMax + 1)), { instanceOf: DerError });
  t.is(error.code, "der_too_deep");
});

test("attack-4 readDer refuses what is too large before it reads a byte", (t) => {
  const bytes = new Uint8Array(derLimits.bytesMax + 1);
  const error = t.throws(() => readDer(bytes), { instanceOf: DerError });
  t.is(error.code, "der_too_large");
  const fits = encode.encodeOctetString(new Uint8Array(derLimits.bytesMax - 4));
  t.is(fits.length, derLimits.bytesMax);
  t.notThrows(() => readDer(fits));
});

test("attack-4 a thousand brackets are refused by depth, not by the stack", (t) => {
  const bytes = hex("30");
  const deep = new Uint8Array(16_000).fill(0x30);
  t.is(t.throws(() => readDer(bytes), { instanceOf: DerError }).code, "der_truncated");
  t.throws(() => readDer(deep, { bytesMax: 20_000, depthMax: 16 }), { instanceOf: DerError });
});

test("readSmallInteger refuses negative", refuses, "0201ff", "der_value_invalid", readSmallInteger);
test(
  "readSmallInteger refuses 2^31",
  refuses,
  "02050080000000",
  "der_value_invalid",
  readSmallInteger,
);
test("readBoolean refuses an integer", refuses, "020101", "der_tag_unexpected", readBoolean);
test(
  "readObjectIdentifier refuses an arc beyond 2^53",
  refuses,
  "060a2affffffffffffffff7f",
  "der_value_invalid",
  readObjectIdentifier,
);

test("readObjectIdentifier tells apart what is remembered under one key", (t) => {
  // 4 * 31 + 48 = 5 * 31 + 17.
  const read = (hex: string): string => readObjectIdentifier(readDer(Buffer.from(hex, "hex")));
  for (let turn = 0; turn < 2; turn += 1) {
    t.is(read("0603550430"), "2.5.4.48");
    t.is(read("0603550511"), "2.5.5.17");
  }
});

test("readObjectIdentifier reads more of them than it remembers, each as itself", (t) => {
  for (let turn = 0; turn < 2; turn += 1) {
    for (let arc = 0; arc < 1_000; arc += 1) {
      const text = `1.3.6.1.4.1.${arc}`;
      t.is(readObjectIdentifier(readDer(encode.encodeObjectIdentifier(text))), text);
    }
  }
});

const time = (tag: number, text: string): string =>
  Buffer.from(encode.encodeElement(tag, new TextEncoder().encode(text))).toString("hex");
const utc = (text: string): string => time(derTag.utcTime, text);
const general = (text: string): string => time(derTag.generalizedTime, text);
test("readTime refuses month 13", refuses, utc("261301000000Z"), "der_value_invalid", readTime);
test("readTime refuses February 30", refuses, utc("260230000000Z"), "der_value_invalid", readTime);
test("readTime refuses second 60", refuses, utc("260101000060Z"), "der_value_invalid", readTime);
for (const [what, text] of [
  ["month 0", "260001000000Z"],
  ["day 0", "260100000000Z"],
  ["April 31", "260431000000Z"],
  ["February 29 of no leap year", "270229000000Z"],
  ["hour 24", "260101240000Z"],
  ["minute 60", "260101006000Z"],
  ["a letter in the year", "2A0101000000Z"],
  ["a sign in the hour", "260101+10000Z"],
  ["a byte before the year", " 260101000000Z"],
] as const) {
  test(`readTime refuses ${what}`, refuses, utc(text), "der_value_invalid", readTime);
}
test("readTime refuses no seconds", refuses, utc("2601010000Z"), "der_value_invalid", readTime);
test(
  "readTime refuses an offset",
  refuses,
  utc("260101000000+0100"),
  "der_value_invalid",
  readTime,
);
test("readTime refuses lower z", refuses, utc("260101000000z"), "der_value_invalid", readTime);
test(
  "readTime refuses fractions",
  refuses,
  general("20600101000000.5Z"),
  "der_value_invalid",
  readTime,
);
test(
  "readTime refuses the long form before 2050",
  refuses,
  general("20260101000000Z"),
  "der_value_invalid",
  readTime,
);
test("readTime refuses other types", refuses, "020101", "der_tag_unexpected", readTime);
test("readVisibleText refuses NUL", refuses, "1603000000", "der_value_invalid", readVisibleText);
test("readVisibleText refuses DEL", refuses, "16017f", "der_value_invalid", readVisibleText);
test("readVisibleText refuses 8 bits", refuses, "1601c3", "der_value_invalid", readVisibleText);

test("readTime reads both forms at their border", (t) => {
  t.is(readTime(readDer(hex(utc("491231235959Z")))), Date.UTC(2049, 11, 31, 23, 59, 59));
  t.is(readTime(readDer(hex(utc("500101000000Z")))), Date.UTC(1950, 0, 1));
  t.is(readTime(readDer(hex(general("20500101000000Z")))), Date.UTC(2050, 0, 1));
});

test("DerReader takes children in order and refuses those that are left", (t) => {
  const list = encode.encodeSequence(encode.encodeSmallInteger(7), encode.encodeBoolean(true));
  const reader = openDer(readDer(list), derTag.sequence);
  t.is(reader.takeIf(derTag.boolean), null);
  t.is(readSmallInteger(reader.take(derTag.integer)), 7);
  t.is(t.throws(() => reader.finish(), { instanceOf: DerError }).code, "der_trailing_bytes");
  t.is(t.throws(() => reader.take(5), { instanceOf: DerError }).code, "der_tag_unexpected");
});

test("contextTag is class, form and number", (t) => {
  t.is(contextTag(0, "constructed"), 0xa0);
  t.is(contextTag(6, "primitive"), 0x86);
});

test("property: unsigned integers round-trip and stay canonical", (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (value) => {
      const digits = value.toString(16);
      const magnitude = hex(digits.length % 2 === 0 ? digits : `0${digits}`);
      const read = readInteger(readDer(encode.encodeUnsigned(magnitude)));
      return BigInt(`0x${Buffer.from(read).toString("hex")}`) === value;
    }),
    fuzzOptions(t, 300),
  );
  t.pass();
});

test("property: object identifiers, times and strings round-trip", (t) => {
  const arc = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 80 });
  const dotted = fc
    .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 39 }), fc.array(arc))
    .map(([first, second, rest]) => [first, second, ...rest].join("."));
  const second = fc
    .integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 })
    .map((seconds) => seconds * 1000);
  fc.assert(
    fc.property(dotted, second, fc.uint8Array({ maxLength: 400 }), (id, timeMs, bytes) => {
      t.is(readObjectIdentifier(readDer(encode.encodeObjectIdentifier(id))), id);
      t.is(readTime(readDer(encode.encodeTime(timeMs))), timeMs);
      t.deepEqual(readOctetString(readDer(encode.encodeOctetString(bytes))), bytes);
      t.deepEqual(readBitString(readDer(encode.encodeBitString(bytes))).bytes, bytes);
    }),
    fuzzOptions(t, 200),
  );
});

interface Tree {
  readonly tag: number;
  readonly content: Uint8Array | readonly Tree[];
}

const trees: fc.Arbitrary<Tree> = fc.letrec<{ readonly tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      tag: fc.constantFrom(derTag.octetString, contextTag(1, "primitive")),
      content: fc.uint8Array({ maxLength: 200 }),
    }),
    fc.record({
      tag: fc.constantFrom(derTag.sequence, contextTag(0, "constructed")),
      content: fc.array(tie("tree"), { maxLength: 4 }),
    }),
  ),
})).tree;

function write({ tag, content }: Tree): Uint8Array {
  const parts = content instanceof Uint8Array ? [content] : content.map(write);
  return encode.encodeElement(tag, ...parts);
}

function read(element: DerElement): Tree {
  if ((element.tag & 0x20) === 0) {
    return { tag: element.tag, content: Uint8Array.from(element.content) };
  }
  const reader = openDer(element, element.tag);
  const content: Tree[] = [];
  while (reader.nextTag !== null) content.push(read(reader.next()));
  return { tag: element.tag, content };
}

test("property: trees round-trip", (t) => {
  fc.assert(
    fc.property(trees, (tree) => {
      t.deepEqual(read(readDer(write(tree), { bytesMax: 1_000_000, depthMax: 100 })), tree);
    }),
    fuzzOptions(t, 200),
  );
});

/** Walks the whole tree with every reader there is. */
function readAll(element: DerElement): void {
  const readers = [
    readBoolean,
    readInteger,
    readSmallInteger,
    readObjectIdentifier,
    readBitString,
    readOctetString,
    readTime,
    readVisibleText,
  ];
  for (const one of readers) {
    try {
      one(element);
    } catch (thrown) {
      if (!(thrown instanceof DerError)) throw thrown;
    }
  }
  if ((element.tag & 0x20) === 0) return;
  const reader = openDer(element, element.tag);
  while (reader.nextTag !== null) readAll(reader.next());
}

/** Bytes that look like DER often enough to get deep into the reader. */
const nearDer = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.tuple(trees, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([tree, position, byte]) => {
    const bytes = write(tree);
    bytes[position % bytes.length] = byte;
    return bytes;
  }),
  fc
    .array(fc.constantFrom(0x30, 0x02, 0x03, 0x06, 0x17, 0x80, 0x82, 0x00, 0x01, 0x02, 0xff, 0xa0))
    .map((bytes) => Uint8Array.from(bytes)),
);

test("property: any bytes give an element or a DerError, and what is read is canonical", (t) => {
  fc.assert(
    fc.property(nearDer, (bytes) => {
      let element: DerElement;
      try {
        element = readDer(bytes);
      } catch (thrown) {
        return thrown instanceof DerError;
      }
      readAll(element);
      // One encoding per value: what was read is written again as it was.
      return Buffer.compare(write(read(element)), bytes) === 0;
    }),
    fuzzOptions(t, 2000),
  );
  t.pass();
});
