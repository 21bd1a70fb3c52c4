import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { logEntries } from "#/test/kit/ledger.ts";
import { packEntries, packWritten, unpackEntries, unpackWritten } from "./packing.ts";
import type { Outcome } from "./writer.ts";

const text = fc.string({ unit: "grapheme" });
const bytes = fc.uint8Array({ maxLength: 40 });
const entry = fc.record({
  id: text,
  namespace: text,
  serviceAccount: text,
  pod: text,
  podUid: text,
  node: text,
  policy: text,
  address: text,
  tokenHash: text,
  issuedAt: fc.maxSafeInteger(),
  notBefore: fc.maxSafeInteger(),
  notAfter: fc.maxSafeInteger(),
  serial: text,
  issuerSerial: text,
  keyFingerprint: text,
  certificate: bytes,
});

test("unpackEntries gives back what packEntries took, over a thread's boundary", (t) => {
  const holds = fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
    t.deepEqual(unpackEntries(structuredClone(packEntries(entries))), entries);
  });
  fc.assert(holds, fuzzOptions(t, 300));
});

test("packEntries leaves no field of an entry out", (t) => {
  const [one] = logEntries(0, 1);
  const [back] = unpackEntries(packEntries([one!]));
  t.deepEqual(Object.keys(back!).toSorted(), Object.keys(one!).toSorted());
});

test("packEntries takes along no bytes but a certificate's own", (t) => {
  const pool = new Uint8Array(100_000);
  const [one] = logEntries(0, 1, { certificate: pool.subarray(7, 17) });
  t.is(packEntries([one!, one!]).certificates.buffer.byteLength, 20);
});

test("unpackEntries refuses what is no whole batch", (t) => {
  const { fields, certificates } = packEntries(logEntries(0, 2));
  t.throws(() => unpackEntries({ fields: fields.slice(1), certificates }));
  t.throws(() => unpackEntries({ fields, certificates: certificates.subarray(1) }));
});

test("unpackWritten gives back what packWritten took, over a thread's boundary", (t) => {
  const placed = fc.record({ index: fc.nat(), path: bytes });
  const outcome: fc.Arbitrary<Outcome> = fc.oneof(fc.constant("key_reused" as const), placed);
  const tree = fc.record({ size: fc.nat(), root: bytes });
  const written = fc.record({ outcomes: fc.array(outcome, { maxLength: 5 }), tree });
  const holds = fc.property(written, (told) => {
    t.deepEqual(unpackWritten(structuredClone(packWritten(told))), told);
  });
  fc.assert(holds, fuzzOptions(t, 300));
});
