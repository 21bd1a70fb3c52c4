// Our HPACK beside nghttp2's, in both directions.
import { createHash } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { timedFuzzOptions } from "#/test/kit/fuzz.ts";
import { encodeFields, fieldsOf } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { frame, preface, settings } from "#/test/kit/http2-frame.ts";
import { nghttp2Client, nghttp2Server } from "#/test/kit/nghttp2.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

const HEADERS = 1;
const SETTINGS = 4;

const name = fc.stringMatching(/^x-[a-z0-9-]{1,10}$/);
const value = fc.stringMatching(/^[!-~](?:[ -~]{0,30}[!-~])?$/);
const common = fc.constantFrom<Field>(
  ["accept", "*/*"],
  ["accept-encoding", "gzip, deflate"],
  ["user-agent", "test/1.0"],
  ["cookie", "session=0123456789abcdef0123456789"],
  ["cookie", "a=b"],
  ["authorization", "Bearer 0123456789"],
  ["x-request-id", createHash("sha256").update("x").digest("hex")],
);
// Node's client refuses some names twice.
const list = fc.uniqueArray(fc.oneof(common, fc.tuple(name, value)), {
  maxLength: 10,
  selector: ([each]) => each,
});
const path = fc.stringMatching(/^\/[a-z0-9/]{0,12}$/);
const requests = fc.array(fc.tuple(path, list), { minLength: 1, maxLength: 12 });

function headOf(path: string, fields: readonly Field[]): Field[] {
  return [[":method", "GET"], [":scheme", "http"], [":authority", "b"], [":path", path], ...fields];
}

test("nghttp2 property: it reads our blocks as we meant them", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      requests,
      fc.boolean(),
      fc.constantFrom(4096, 128, 0, 65536),
      async (heads, huffman, headerTableSize) => {
        const { session, wire } = nghttp2Server({ settings: { headerTableSize } });
        const found: Field[][] = [];
        const all = new Promise<void>((resolve) => {
          session.on("close", resolve);
          session.on("stream", (_stream, _headers, _flags, raw: readonly string[]) => {
            found.push(
              Array.from({ length: raw.length / 2 }, (_, at) => [raw[at * 2]!, raw[at * 2 + 1]!]),
            );
            if (found.length === heads.length) resolve();
          });
        });
        const encoder = new HpackEncoder(huffman);
        encoder.resize(headerTableSize);
        wire.give(Buffer.concat([preface, settings, frame(SETTINGS, 1, Buffer.alloc(0), 0)]));
        for (const [index, [path, fields]] of heads.entries()) {
          wire.give(frame(HEADERS, 5, encodeFields(encoder, headOf(path, fields)), 1 + 2 * index));
        }
        await all;
        session.destroy();
        t.deepEqual(
          found,
          heads.map(([path, fields]) => headOf(path, fields)),
        );
      },
    ),
    timedFuzzOptions(t, 100),
  );
});

test("nghttp2 property: we read its blocks as it meant them", async (t) => {
  await fc.assert(
    fc.asyncProperty(requests, async (heads) => {
      const { session, wire } = nghttp2Client();
      const decoder = new HpackDecoder();
      const found: (readonly Field[])[] = [];
      const all = new Promise<void>((resolve) => {
        let held = Buffer.alloc(0);
        let skipped = false;
        wire.onBytes = (bytes) => {
          held = Buffer.concat([held, bytes]);
          if (!skipped && held.length >= preface.length) {
            held = held.subarray(preface.length);
            skipped = true;
          }
          if (!skipped) return;
          while (held.length >= 9 && held.length >= 9 + held.readUIntBE(0, 3)) {
            const end = 9 + held.readUIntBE(0, 3);
            if (held[3] === HEADERS) {
              t.is(decoder.decode(held, 9, end), 0);
              found.push(fieldsOf(decoder.block));
            }
            held = held.subarray(end);
          }
          if (found.length === heads.length) resolve();
        };
      });
      wire.give(Buffer.concat([settings, frame(SETTINGS, 1, Buffer.alloc(0), 0)]));
      for (const [path, fields] of heads) {
        session.request(headOf(path, fields).flat() as never, { endStream: true });
      }
      await all;
      session.destroy();
      t.deepEqual(
        found,
        heads.map(([path, fields]) => headOf(path, fields)),
      );
    }),
    timedFuzzOptions(t, 100),
  );
});
