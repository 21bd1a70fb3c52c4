// The deadlines of a downstream connection, made short: who sends its request slowly, or not at all.
//
// attack-46 (floods of HTTP/2 frames): what sidecars may do to each other is in http2/flood.test.ts, an
// application's own HTTP/2 passes as opaque bytes. The controller's is in api/.
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import { Deadlines } from "../net/deadline.ts";
import { defaultExchangeLimits } from "./dispatcher.ts";
import type { ExchangeLimits } from "./dispatcher.ts";
import { Exchange } from "./exchange.ts";

interface Ended {
  readonly received: string;
  readonly ms: number;
  readonly reasons: readonly string[];
}

/** Sends `pieces`, `gapMs` apart, to an exchange whose upstream takes everything and answers nothing. */
async function send(
  limits: Partial<ExchangeLimits>,
  pieces: readonly string[],
  gapMs = 50,
): Promise<Ended> {
  const deadlines = new Deadlines(systemClock);
  const sockets = new Set<Socket>();
  const reasons: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    void new Exchange(
      socket,
      {
        added: null,
        dispatch: () => {},
        open: () => {},
        responded: () => false,
        failed: () => false,
        cancelled: () => {},
        finished: ({ reason }) => reasons.push(reason),
        closed: () => {},
      },
      {
        clock: systemClock,
        deadlines,
        limits: { ...defaultExchangeLimits, ...limits },
        tunnelIdleTimeoutMs: 10_000,
        shouldClose: () => false,
      },
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const socket = connect(
    typeof address === "object" && address !== null ? address.port : 0,
    "127.0.0.1",
  );
  const began = performance.now();
  const left = [...pieces];
  const sender = setInterval(() => {
    const piece = left.shift();
    if (piece !== undefined && socket.writable) socket.write(piece, "latin1");
  }, gapMs);
  const ended = await new Promise<Ended>((resolve) => {
    let received = "";
    const done = (): void => resolve({ received, ms: performance.now() - began, reasons });
    socket.on("data", (bytes) => (received += bytes.toString("latin1")));
    socket.on("error", () => {});
    socket.once("end", done);
    socket.once("close", done);
    socket.setTimeout(5000, done);
  });
  clearInterval(sender);
  deadlines.stop();
  socket.destroy();
  for (const each of sockets) each.destroy();
  await new Promise((resolve) => server.close(resolve));
  return ended;
}

const head = "GET / HTTP/1.1\r\nhost: a\r\n";
const drip = Array.from({ length: 100 }, (_, index) => `x-${index}: 1\r\n`);

test("attack-50 a connection that never says a word is closed", async (t) => {
  const { received, ms } = await send({ firstHeadTimeoutMs: 300 }, []);
  t.is(received, "");
  t.true(ms >= 290 && ms < 3000, `${ms} ms`);
});

test("attack-50 a head that comes line by line is given up, each line buying no more time", async (t) => {
  const { received, ms, reasons } = await send({ headTimeoutMs: 500 }, [head, ...drip]);
  t.regex(received, /^HTTP\/1\.1 408 [^]*connection: close/);
  t.deepEqual(reasons, ["head_timeout"]);
  t.true(ms < 3000, `${ms} ms`);
});

test("attack-50 an empty line and a letter are a head that has begun", async (t) => {
  const limits = { headTimeoutMs: 400, firstHeadTimeoutMs: 30_000 };
  const { received, reasons } = await send(limits, ["\r", "\n", "G"]);
  t.regex(received, /^HTTP\/1\.1 408 /);
  t.deepEqual(reasons, ["head_timeout"]);
});

for (const [what, start] of [
  ["a length", `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nab`],
  ["chunks", `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\nab`],
  ["an endless chunk size", `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3`],
] as const) {
  test(`attack-50 a body with ${what} that stands still is given up`, async (t) => {
    const { received, reasons, ms } = await send({ streamIdleTimeoutMs: 400 }, [start]);
    t.regex(received, /^HTTP\/1\.1 408 [^]*connection: close/);
    t.deepEqual(reasons, ["request_timeout"]);
    t.true(ms < 3000, `${ms} ms`);
  });
}

test("attack-50 a caller that waits for an answer that never comes is told so", async (t) => {
  const { received, reasons } = await send({ streamIdleTimeoutMs: 400 }, [
    `${head}connection: close\r\n\r\n`,
  ]);
  t.regex(received, /^HTTP\/1\.1 504 /);
  t.deepEqual(reasons, ["response_timeout"]);
});
