// Our connection beside nghttp2's (Node's http2), either end of it: what one says the other understands as
// it was meant, and what our server takes from changed bytes nghttp2 does not read otherwise.
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions, timedFuzzOptions } from "#/test/kit/fuzz.ts";
import { addField, encodeFields } from "#/test/kit/header-fields.ts";
import type { Field } from "#/test/kit/header-fields.ts";
import { arbitraryFrame, mutatedBytes, pieces } from "#/test/kit/http2-arbitrary.ts";
import { End, requestFields } from "#/test/kit/http2-end.ts";
import { frame, settings } from "#/test/kit/http2-frame.ts";
import { arbitraryCuts } from "#/test/kit/http1-arbitrary.ts";
import { nghttp2Client, nghttp2Server } from "#/test/kit/nghttp2.ts";
import type { Wire } from "#/test/kit/nghttp2.ts";
import { PREFACE } from "./connection.ts";
import { KIND } from "./field-kind.ts";
import { TYPE } from "./frame.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

/** Joins our end with nghttp2's; what ours has to send is carried over soon after it says so. */
function join(end: End, wire: Wire): void {
  let carrying = false;
  const carry = (): void => {
    if (carrying) return;
    carrying = true;
    setImmediate(() => {
      carrying = false;
      const bytes = end.bytes();
      if (bytes.length > 0) wire.give(bytes);
    });
  };
  end.onWake = carry;
  wire.onBytes = (bytes) => end.receive(Buffer.from(bytes));
  carry();
}

const sizes = fc.oneof(fc.nat(100), fc.constantFrom(0, 16_384, 16_385, 70_000, 200_000));
const exchange = fc.record({
  method: fc.constantFrom("GET" as const, "POST" as const, "POST" as const, "HEAD" as const),
  asked: sizes,
  answered: sizes,
  trailers: fc.boolean(),
});
const exchanges = fc.array(exchange, { minLength: 1, maxLength: 8 });
const filled = (count: number, letter: string): Buffer => Buffer.alloc(count, letter);

test("nghttp2 property: its client and our server understand each other", async (t) => {
  await fc.assert(
    fc.asyncProperty(exchanges, async (list) => {
      const end = new End();
      const { session, wire } = nghttp2Client();
      const answer = (id: number): void => {
        const { answered, trailers, method } = list[(id - 1) / 2]!;
        const stream = end.opened.get(id)!;
        end.respond(stream, method === "HEAD", "200", [
          ["x-asked", String(end.content.get(id)?.length ?? 0)],
        ]);
        if (method === "HEAD") return;
        stream.send(filled(answered, "s"), !trailers);
        if (!trailers) return;
        addField(stream.openTrailers()!, ["x-end", "1"]);
        stream.sendTrailers();
      };
      end.serve = (stream, _request, last) => {
        if (last) answer(stream.id);
      };
      const onData = end.onData.bind(end);
      end.onData = (stream, bytes, last) => {
        onData(stream, bytes, last);
        if (last) answer(stream.id);
      };
      join(end, wire);
      const found = await Promise.all(
        list.map(({ method, asked }) => {
          const fields = Object.fromEntries(requestFields(method, "/"));
          const endStream = method !== "POST";
          const request = session.request(fields, { endStream });
          if (!endStream) request.end(filled(asked, "c"));
          return new Promise<readonly unknown[]>((resolve, reject) => {
            let [length, asked, ended] = [0, "", false];
            request.on(
              "response",
              (headers: IncomingHttpHeaders) => (asked = String(headers["x-asked"])),
            );
            request.on("data", (bytes: Buffer) => (length += bytes.length));
            request.on("trailers", () => (ended = true));
            request.on("error", reject);
            request.on("close", () => resolve([Number(asked), length, ended]));
          });
        }),
      );
      session.destroy();
      t.deepEqual(
        found,
        list.map(({ method, asked, answered, trailers }) =>
          method === "HEAD" ? [0, 0, false] : [method === "POST" ? asked : 0, answered, trailers],
        ),
      );
    }),
    timedFuzzOptions(t, 40),
  );
});

test("nghttp2 property: our client and its server understand each other", async (t) => {
  await fc.assert(
    fc.asyncProperty(exchanges, async (list) => {
      const end = new End({ role: "client" });
      const { session, wire } = nghttp2Server();
      session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        const { answered, trailers } = list[Number(headers[":path"]!.slice(1))]!;
        let length = 0;
        stream.on("data", (bytes: Buffer) => (length += bytes.length));
        stream.on("error", () => {});
        stream.on("end", () => {
          stream.respond(
            { ":status": 200, "x-asked": String(length) },
            { waitForTrailers: trailers },
          );
          stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "1" }));
          stream.end(filled(answered, "s"));
        });
        stream.resume();
      });
      const asked: number[] = [];
      const ended: number[] = [];
      let over = 0;
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          over += 1;
          if (over === list.length) resolve();
        };
        const onResponse = end.onResponse.bind(end);
        const onData = end.onData.bind(end);
        const onTrailers = end.onTrailers.bind(end);
        end.onResponse = (stream, response, last) => {
          onResponse(stream, response, last);
          asked[(stream.id - 1) / 2] = Number(response.fields.value(Buffer.from("x-asked")));
          if (last) finish();
        };
        end.onData = (stream, bytes, last) => {
          onData(stream, bytes, last);
          if (last) finish();
        };
        end.onTrailers = (stream, fields) => {
          onTrailers(stream, fields);
          ended.push(stream.id);
          finish();
        };
        end.onReset = finish;
        join(end, wire);
        for (const [index, { method, asked }] of list.entries()) {
          const stream = end.request(method, `/${index}`, method !== "POST")!;
          if (method === "POST") stream.send(filled(asked, "c"), true);
        }
      });
      session.destroy();
      for (const [index, each] of list.entries()) {
        const id = 1 + index * 2;
        t.is(asked[index], each.method === "POST" ? each.asked : 0);
        const length = each.method === "HEAD" ? 0 : each.answered;
        t.is(end.content.get(id)?.length ?? 0, length);
        if (each.method !== "HEAD") t.is(ended.includes(id), each.trailers);
      }
    }),
    timedFuzzOptions(t, 40),
  );
});

/** Bytes of a client: its preface, then frames that mostly mean something. */
const conversation: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      {
        weight: 9,
        arbitrary: fc.constantFrom(
          "get",
          "get",
          "post",
          "data",
          "end",
          "trailers",
          "cancel",
          "window",
        ),
      },
      { weight: 1, arbitrary: arbitraryFrame },
    ),
    { maxLength: 10 },
  )
  .map((steps) => {
    const encoder = new HpackEncoder();
    const parts: Buffer[] = [PREFACE, settings];
    let id = -1;
    for (const step of steps) {
      if (typeof step !== "string") parts.push(step);
      else if (step === "get" || step === "post") {
        id += 2;
        const block = encodeFields(encoder, requestFields(step.toUpperCase(), `/${id}`));
        parts.push(frame(TYPE.headers, step === "get" ? 5 : 4, block, id));
      } else if (step === "data" || step === "end") {
        parts.push(frame(TYPE.data, step === "end" ? 1 : 0, Buffer.from("hello"), Math.max(1, id)));
      } else if (step === "trailers") {
        const block = encodeFields(encoder, [["x-end", "1"]] as readonly Field[]);
        parts.push(frame(TYPE.headers, 5, block, Math.max(1, id)));
      } else if (step === "cancel")
        parts.push(frame(TYPE.rstStream, 0, Buffer.alloc(4, 0), Math.max(1, id)));
      else parts.push(frame(TYPE.windowUpdate, 0, Buffer.from([0, 0, 1, 0]), Math.max(0, id)));
    }
    return Buffer.concat(parts);
  });

/** What a server of ours is told of bytes in pieces, with content put together, and what it sends. */
function hear(parts: readonly Buffer[]): {
  readonly told: readonly string[];
  readonly sent: string;
} {
  const end = new End({ connectProtocol: true });
  for (const part of parts) end.receive(part);
  const told = end.told.filter((each) => !each.startsWith("data"));
  const content = [...end.content].map(([id, text]) => `content ${id} ${text}`);
  return { told: [...told, ...content], sent: end.sent().join() };
}

test("http2 connection property: any cut tells the same, and nothing is thrown", (t) => {
  const input = fc.oneof(conversation, mutatedBytes(conversation));
  fc.assert(
    fc.property(input, arbitraryCuts, (bytes, cuts) => {
      const whole = hear([bytes]);
      const cut = hear(pieces(bytes, cuts));
      // A message that goes on in an END_STREAM frame of no content is told of with what came before.
      t.deepEqual(cut.told, whole.told);
      t.is(cut.sent, whole.sent);
    }),
    fuzzOptions(t, 1000),
  );
});

test("nghttp2 property: requests that we take from changed bytes it reads as we do, where it takes them", async (t) => {
  let compared = 0;
  const options = timedFuzzOptions(t, 300);
  await fc.assert(
    fc.asyncProperty(fc.oneof(conversation, mutatedBytes(conversation)), async (bytes) => {
      const ours: string[] = [];
      const end = new End();
      end.serve = ({ id }, { methodText, fields }) => {
        ours.push(`request ${id} ${methodText} ${fields.valueText(fields.first[KIND.path]!)}`);
      };
      end.receive(bytes);
      const { session, wire } = nghttp2Server();
      const theirs: string[] = [];
      session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        stream.on("error", () => {});
        theirs.push(
          `request ${stream.id} ${String(headers[":method"])} ${String(headers[":path"])}`,
        );
      });
      wire.give(bytes);
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      session.destroy();
      // nghttp2 is laxer in some things and stricter in others: what both take must be the same.
      for (const told of ours) {
        const [, id] = told.split(" ");
        const same = theirs.find((each) => each.split(" ")[1] === id);
        if (same === undefined) continue;
        compared += 1;
        t.is(same, told);
      }
    }),
    options,
  );
  t.log(`${compared} requests were compared`);
  t.true(compared > Math.min(options.numRuns, 1000) / 5, `${compared}`);
});
