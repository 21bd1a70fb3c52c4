// A connection on real sockets, with Node's client: one write per turn, and backpressure from end to end.
import { createHash } from "node:crypto";
import { connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { echoServer } from "#/test/kit/http2-echo.ts";

const MIB = 1024 * 1024;

test("http2 on a socket echoes megabytes to a slow reader, unchanged and without holding them", async (t) => {
  await using server = await echoServer();
  const session = connect(`http://127.0.0.1:${server.port}`);
  const stream = session.request({ ":method": "POST", ":path": "/echo" });
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  let length = 0;
  const writing = (async () => {
    for (let part = 0; part < 64; part += 1) {
      const bytes = Buffer.alloc(MIB / 4, String(part));
      sent.update(bytes);
      if (!stream.write(bytes)) await new Promise((resolve) => stream.once("drain", resolve));
    }
    stream.end();
  })();
  let held = 0;
  for await (const bytes of stream as AsyncIterable<Buffer>) {
    if (length === 0) {
      await sleep(300);
      // Nobody reads meanwhile: what was taken from the client is what windows allow.
      held = process.memoryUsage().arrayBuffers;
    }
    length += bytes.length;
    received.update(bytes);
  }
  await writing;
  t.is(length, 16 * MIB);
  t.is(received.digest("hex"), sent.digest("hex"));
  t.true(held < 64 * MIB, `${held}`);
  session.destroy();
});

test("http2 on a socket answers a hundred streams at once, some with trailers", async (t) => {
  await using server = await echoServer();
  const session = connect(`http://127.0.0.1:${server.port}`);
  const paths = Array.from(
    { length: 100 },
    (_, at) => ["/", "/trailers", `/${at * 1000}`][at % 3]!,
  );
  const lengths = await Promise.all(
    paths.map(async (path) => {
      let length = 0;
      for await (const bytes of session.request({ ":path": path }) as AsyncIterable<Buffer>) {
        length += bytes.length;
      }
      return length;
    }),
  );
  t.deepEqual(
    lengths,
    paths.map((path) => Number(path.slice(1)) || 54),
  );
  await new Promise<void>((resolve) => session.close(resolve));
});
