// Header blocks as lists of names and values, for tests of what works on their bytes.
import { ascii } from "#/http/http1/bytes.ts";
import type { FieldBlock } from "#/http/http2/field-block.ts";
import { kindOf } from "#/http/http2/field-kind.ts";
import type { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { LINE_UNNUMBERED } from "#/http/http2/line-number.ts";
import { staticNameOf } from "#/http/http2/name-index.ts";

export type Field = readonly [name: string, value: string];

export function fieldsOf(block: FieldBlock): Field[] {
  return Array.from(
    { length: block.count },
    (_, field) => [block.nameText(field), block.valueText(field)] as const,
  );
}

/** Adds a field whose sender had no opinion on keeping it. */
export function addField(encoder: HpackEncoder, [name, value]: Field, line?: number): void {
  const bytes = ascii(name + value);
  const nameEnd = name.length;
  encoder.field(
    bytes,
    0,
    nameEnd,
    nameEnd,
    bytes.length,
    kindOf(bytes, 0, nameEnd),
    staticNameOf(bytes, 0, nameEnd),
    line ?? LINE_UNNUMBERED,
    0,
  );
}

/** A copy of the block that `encoder` makes of `fields`. */
export function encodeFields(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  encoder.begin();
  for (const field of fields) addField(encoder, field);
  return Buffer.from(encoder.bytes.subarray(0, encoder.length));
}
