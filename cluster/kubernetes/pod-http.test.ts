import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import { getOver } from "./pod-http.ts";

async function reach(
  t: { teardown(fn: () => void): void },
  answer: RequestListener,
): Promise<Socket> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => void server.close());
  return connect((server.address() as AddressInfo).port, "127.0.0.1");
}

test("getOver returns the body, and ends the connection", async (t) => {
  const connection = await reach(t, (request, response) =>
    response.end(`you asked ${request.url}`),
  );
  t.is(await getOver(connection, "n/p", "/metrics?a=b"), "you asked /metrics?a=b");
  t.true(connection.destroyed);
});

test("getOver tells what the pod answers instead", async (t) => {
  const connection = await reach(t, (_request, response) => {
    response.statusCode = 503;
    response.end("not ready\n");
  });
  await t.throwsAsync(getOver(connection, "n/p", "/x"), {
    code: "unavailable",
    message: "Cannot ask n/p for /x: it answers 503: not ready",
  });
});

test("getOver tells that the connection was cut", async (t) => {
  const connection = await reach(t, (request) => request.socket.destroy());
  await t.throwsAsync(getOver(connection, "n/p", "/x"), {
    code: "unavailable",
    message: /Cannot ask n\/p for \/x: /,
  });
});
