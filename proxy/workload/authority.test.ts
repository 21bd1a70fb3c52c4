// The one field that is mended, and all the bytes that are not.
import { setImmediate } from "node:timers/promises";
import test from "ava";
import * as fc from "fast-check";
import { field, frame, literal, post, preface, settings } from "#/test/kit/http2-frame.ts";
import { AuthorityMender } from "./authority.ts";

const path = literal(0x44, "/SpiffeWorkloadAPI/FetchX509SVID");
const header = field("workload.spiffe.io", "true");

/** What comes out when `bytes` go in, cut at `cuts`. */
async function mended(bytes: Buffer, cuts: readonly number[] = []): Promise<Buffer> {
  const mender = new AuthorityMender();
  const out: Buffer[] = [];
  mender.on("data", (piece: Buffer) => out.push(piece));
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  const sorted = places.toSorted((one, other) => one - other);
  for (const [index, start] of sorted.slice(0, -1).entries()) {
    mender.write(Buffer.from(bytes.subarray(start, sorted[index + 1])));
  }
  mender.end();
  await setImmediate();
  return Buffer.concat(out);
}

const requestOf = (authority: Buffer, flags = 0x04, before: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([
    preface,
    settings,
    frame(1, flags, Buffer.concat([before, post, path, authority, header])),
    frame(0, 1, Buffer.from("/a/b")),
  ]);

const forms: readonly (readonly [string, number, number, Buffer])[] = [
  ["kept in the table", 0x41, 0x04, Buffer.alloc(0)],
  ["not kept", 0x01, 0x04, Buffer.alloc(0)],
  ["never to be kept", 0x11, 0x04, Buffer.alloc(0)],
  ["in a frame with a priority", 0x41, 0x24, Buffer.from([0, 0, 0, 0, 15])],
  ["after a change of the table's size", 0x41, 0x04, Buffer.from([0x3f, 0xe1, 0x1f])],
];
for (const [how, first, flags, before] of forms) {
  test(`a socket's path as authority becomes a host, ${how}; nothing else changes`, async (t) => {
    const socket = "/run/spiffe/workload.sock";
    const given = requestOf(literal(first, socket), flags, before);
    const wanted = requestOf(literal(first, socket.replaceAll("/", "-")), flags, before);
    t.deepEqual(await mended(given), wanted);
  });
}

test("a padded frame is mended within its padding", async (t) => {
  const body = (authority: string): Buffer =>
    frame(1, 0x0c, Buffer.concat([Buffer.from([3]), literal(0x41, authority), Buffer.from("/a/")]));
  const [given, wanted] = ["/a/b", "-a-b"].map((each) => Buffer.concat([preface, body(each)]));
  t.deepEqual(await mended(given!), wanted);
});

test("property: an authority that is no path, and every other frame, comes out as it went in", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.stringMatching(/^[a-z0-9.:_/%-]{0,60}$/).filter((text) => !text.startsWith("/")),
      fc.array(fc.tuple(fc.integer({ min: 2, max: 255 }), fc.uint8Array({ maxLength: 40 }))),
      fc.array(fc.nat()),
      async (authority, others, cuts) => {
        const frames = others.map(([type, payload]) => frame(type, 0, payload));
        const bytes = Buffer.concat([requestOf(literal(0x41, authority)), ...frames]);
        return (await mended(bytes, cuts)).equals(bytes);
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

test("property: however the bytes are cut, the same comes out", async (t) => {
  const bytes = requestOf(literal(0x41, "/run/spiffe/workload.sock"));
  const whole = await mended(bytes);
  t.false(whole.equals(bytes));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 20 }), async (cuts) =>
      (await mended(bytes, cuts)).equals(whole),
    ),
    { numRuns: 200 },
  );
});

test("property: whatever the bytes, none is lost, none is added, and nothing is thrown", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      fc.array(fc.nat(), { maxLength: 5 }),
      async (noise, isFramed, cuts) => {
        const tail = isFramed ? frame(1, noise[0] ?? 0, noise) : Buffer.from(noise);
        const bytes = Buffer.concat([preface, tail]);
        const out = await mended(bytes, cuts);
        if (out.length !== bytes.length) return false;
        return out.every((byte, at) => byte === bytes[at] || (bytes[at] === 0x2f && byte === 0x2d));
      },
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test("a frame that nobody may send is left to whoever reads it", async (t) => {
  const huge = frame(1, 4, Buffer.concat([literal(0x41, "/a"), Buffer.alloc(16_384)]));
  const bytes = Buffer.concat([preface, huge]);
  t.deepEqual(await mended(bytes), bytes);
});
