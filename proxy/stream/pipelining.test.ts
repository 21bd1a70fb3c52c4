// Requests that are sent ahead, and requests that break off: order and wholeness.
import { createServer, connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import { MeshPair } from "#/test/kit/mesh-pair.ts";
import { Deadlines } from "../net/deadline.ts";
import { alpnHttp1 } from "../tls/credentials.ts";
import { defaultExchangeLimits } from "./dispatcher.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Exchange } from "./exchange.ts";

test("attack-42 bytes that come in the very turn of an answer stand behind what was sent ahead", async (t) => {
  const asked: string[] = [];
  const deadlines = new Deadlines(systemClock);
  const serve = (socket: Socket): void => {
    const dispatcher: Dispatcher = {
      added: null,
      dispatch: ({ request }) => void asked.push(`${request?.methodText} ${request?.pathText}`),
      open: (exchange) => setImmediate(() => exchange.reply(404, "no_route")),
      responded: () => false,
      failed: () => false,
      cancelled: () => {},
      // The first answer is out: the rest of the second request is read before its beginning is taken up.
      finished: () => {
        if (asked.length > 1) return;
        const rest = Buffer.from("T /second HTTP/1.1\r\nhost: b\r\n\r\n");
        process.nextTick(() => socket.emit("data", rest));
      },
      closed: () => {},
    };
    void new Exchange(socket, dispatcher, {
      clock: systemClock,
      deadlines,
      limits: defaultExchangeLimits,
      tunnelIdleTimeoutMs: 10_000,
      shouldClose: () => false,
    });
  };
  const server = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const caller = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let answers = 0;
  await new Promise<void>((resolve) => {
    caller.on("data", (bytes) => {
      answers += bytes.toString("latin1").split("HTTP/1.1 404").length - 1;
      if (answers === 2) resolve();
    });
    caller.on("close", () => resolve());
    caller.write("GET /first HTTP/1.1\r\nhost: b\r\n\r\nGE");
  });
  t.deepEqual(asked, ["GET /first", "GET /second"]);
  t.is(answers, 2);
  caller.destroy();
  deadlines.stop();
  await new Promise((resolve) => server.close(resolve));
});

for (const body of [
  "content-length: 10\r\n\r\nhello",
  "transfer-encoding: chunked\r\n\r\n5\r\nhel",
]) {
  test(`attack-42 half a request is reset at the application and does not just end: ${body.slice(0, 9)}`, async (t) => {
    await using pair = await MeshPair.create();
    const end = Promise.withResolvers<string>();
    const half = await pair.addInbound("b", (socket) => {
      socket.on("data", () => caller.destroy());
      socket.on("end", () => end.resolve("ended"));
      socket.on("error", (error: NodeJS.ErrnoException) => end.resolve(error.code ?? ""));
    });
    const caller = await pair.connectAsMember(half, alpnHttp1);
    caller.write(`POST / HTTP/1.1\r\nhost: b\r\n${body}`);
    t.is(await end.promise, "ECONNRESET");
  });
}
