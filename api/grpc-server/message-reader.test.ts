import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { MESSAGE_HEAD_BYTES, MessageReader } from "./message-reader.ts";
import type { MessageFault } from "./message-reader.ts";

const bytesMax = 100;

test("MessageReader gives the same messages however the bytes are cut", (t) => {
  const message = fc.uint8Array({ maxLength: bytesMax });
  const cuts = fc.array(fc.nat(400), { maxLength: 20 });
  const holds = fc.property(fc.array(message, { maxLength: 8 }), cuts, (messages, places) => {
    const whole = Buffer.concat(messages.map(framed));
    const { fault, taken } = read(pieces(whole, places));
    return fault === null && same(taken, messages);
  });
  fc.assert(holds, fuzzOptions(t, 300));
  t.pass();
});

test("MessageReader never throws, and stops at the first fault", (t) => {
  const faults = new Set<MessageFault | null>([null, "message_packed", "message_too_large"]);
  const holds = fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300)), (bytes, at) =>
    faults.has(read(pieces(Buffer.from(bytes), at)).fault),
  );
  fc.assert(holds, fuzzOptions(t, 300));
  t.pass();
});

test("attack-52 MessageReader refuses a message by its announced length, before it has come", (t) => {
  t.is(read([head(0, bytesMax + 1)]).fault, "message_too_large");
  t.is(read([head(0, 2 ** 32 - 1)]).fault, "message_too_large");
  t.is(read([head(0, bytesMax)]).fault, null);
});

test("attack-52 MessageReader unpacks nothing", (t) => {
  t.is(read([head(1, 1)]).fault, "message_packed");
  t.is(read([head(255, 0)]).fault, "message_packed");
});

test("MessageReader knows whether a message was cut off", (t) => {
  const reader = new MessageReader(bytesMax);
  const whole = framed(Buffer.from("one"));
  t.false(reader.isWithin);
  reader.push(whole.subarray(0, 3), fail);
  t.true(reader.isWithin);
  reader.push(whole.subarray(3, 6), fail);
  t.true(reader.isWithin);
  reader.push(whole.subarray(6), () => {});
  t.false(reader.isWithin);
});

test("MessageReader holds no more than has come, whatever was announced", (t) => {
  const reader = new MessageReader(2 ** 30);
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 1000 }, () => new MessageReader(2 ** 30));
  for (const each of [reader, ...readers]) each.push(head(0, 2 ** 30), fail);
  t.true(process.memoryUsage().arrayBuffers - before < 8 * 1_048_576);
});

function fail(): void {
  throw new Error("A message came that was not whole");
}

function head(flag: number, length: number): Buffer {
  const bytes = Buffer.alloc(MESSAGE_HEAD_BYTES);
  bytes[0] = flag;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function framed(message: Uint8Array): Buffer {
  return Buffer.concat([head(0, message.length), message]);
}

function pieces(whole: Buffer, places: readonly number[]): readonly Buffer[] {
  const cuts = [0, ...places.filter((at) => at <= whole.length), whole.length].toSorted(
    (one, other) => one - other,
  );
  return cuts.slice(1).map((end, at) => whole.subarray(cuts[at], end));
}

function read(parts: readonly Buffer[]): { fault: MessageFault | null; taken: readonly Buffer[] } {
  const reader = new MessageReader(bytesMax);
  const taken: Buffer[] = [];
  for (const part of parts) {
    const fault = reader.push(part, (message) => void taken.push(Buffer.from(message)));
    if (fault !== null) return { fault, taken };
  }
  return { fault: null, taken };
}

function same(taken: readonly Buffer[], messages: readonly Uint8Array[]): boolean {
  return taken.length === messages.length && taken.every((each, at) => each.equals(messages[at]!));
}
