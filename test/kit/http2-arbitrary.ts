// Generators of HTTP/2 bytes for properties: frames, mostly valid, and bytes changed here and there.
import * as fc from "fast-check";
import { frame } from "./http2-frame.ts";

const flags = fc.oneof(fc.constantFrom(0, 0x01, 0x04, 0x05, 0x08, 0x0d, 0x24, 0x2d), fc.nat(255));
const stream = fc.oneof(fc.constantFrom(0, 1, 1, 3, 5, 7), fc.nat(2 ** 31 - 1));
const payloads: readonly fc.Arbitrary<Uint8Array>[] = [
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 8, maxLength: 8 }),
  fc.uint8Array({ minLength: 6, maxLength: 6 }),
];

/** One frame of any type. */
export const arbitraryFrame: fc.Arbitrary<Buffer> = fc
  .tuple(fc.oneof(fc.nat(10), fc.constantFrom(0, 1, 0x99)), flags, fc.oneof(...payloads), stream)
  .map(([type, flag, payload, id]) => frame(type, flag, payload, id));

/** `bytes` in pieces, each in memory of its own, cut at parts of the whole. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length];
  return places.slice(1).map((end, index) => Buffer.from(bytes.subarray(places[index], end)));
}

/** Bytes with a few of them changed, put in or taken out. */
export function mutatedBytes(source: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.nat(), fc.constantFrom("set", "insert", "remove"), fc.nat(255));
  return fc
    .tuple(source, fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([bytes, changes]) => {
      const result = [...bytes];
      for (const [position, kind, byte] of changes) {
        const at = position % (result.length + 1);
        if (kind === "set") result[Math.min(at, result.length - 1)] = byte;
        else if (kind === "insert") result.splice(at, 0, byte);
        else result.splice(at, 1);
      }
      return Buffer.from(result);
    });
}
