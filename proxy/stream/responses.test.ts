// What an application answers, when it means harm: one caller must not read two answers, and nobody the
// answer to another's request.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import { HostileLab, surfaces } from "#/test/kit/hostile/lab.ts";
import { poison, responses } from "#/test/kit/hostile/responses.ts";
import { METHOD } from "#/http/http1/method.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import { Deadlines } from "../net/deadline.ts";
import { dial } from "../net/dial.ts";
import { Http1Request } from "./http1-messages.ts";
import { Http1Transport } from "./pool.ts";
import { defaultPoolLimits, plaintextFacts } from "./transport.ts";
import type { StreamSink, Target } from "./transport.ts";

/** Answers `/attack/N` with the bytes of row N, and any other target with what it was asked. */
function hostileApp(socket: Socket): void {
  socket.on("data", (bytes) => {
    const [, method = "", target = ""] = /^(\S+) (\S+)/.exec(bytes.toString("latin1")) ?? [];
    const row = responses[Number(/^\/attack\/(\d+)$/.exec(target)?.[1] ?? -1)];
    const text = `${method} ${target}`;
    const echo = `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    socket.write(row?.bytes ?? echo, "latin1");
  });
  socket.on("end", () => socket.end());
}

for (const surface of surfaces) {
  test(`attacks 42, 43: hostile answers reach a ${surface} once or not at all, and nobody else`, async (t) => {
    await using lab = await HostileLab.create(hostileApp);
    for (const [index, { name, method = "GET", status, body }] of responses.entries()) {
      await lab.askGood(surface);
      // Of a POST all but one byte: the answer comes before the rest.
      const framing = method === "POST" ? "Content-Length: 3\r\n\r\nab" : "\r\n";
      const request = Buffer.from(`${method} /attack/${index} HTTP/1.1\r\nHost: b\r\n${framing}`);
      const closes = method === "POST";
      const attempt = await lab.attempt(surface, request, { methods: [method], closes });
      const all = attempt.unread + attempt.answers.map((answer) => answer.body).join("");
      t.false(all.includes("poison"), `${name}: ${JSON.stringify(attempt)}`);
      // What was on its way already can only be cut.
      if (attempt.answers.length > 0) t.is(attempt.answers[0]!.status, status, name);
      else t.true(attempt.closed && status === 502, name);
      if (body !== undefined) t.is(attempt.answers[0]?.body, body, name);
      const { target, text } = await lab.askGood(surface);
      t.true(text.endsWith(`\r\n\r\nGET ${target}`), `${name}: ${text}`);
    }
  });
}

test("attack-42 bytes behind an answer are not the answer to whoever waits for the connection", async (t) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${poison}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const deadlines = new Deadlines(systemClock);
  let connections = 0;
  // The second connection takes its time: whoever waits for it gets the first one when that is free.
  const connector = {
    connect: (
      to: Target,
      connected: (socket: Socket, facts: typeof plaintextFacts) => void,
    ): void => {
      connections += 1;
      const made = (socket: Socket): void => connected(socket, plaintextFacts);
      if (connections !== 2) dial(to, 1000, systemClock, made, () => {});
    },
  };
  const limits = { ...defaultPoolLimits, connectionsMax: 2 };
  const context = { clock: systemClock, deadlines, limits, onCertificateEnd: () => {} };
  const transport = new Http1Transport<Target>(connector, context);
  const target: Target = { address: "127.0.0.1", port };
  const heard: string[] = [];
  const head = new RequestHead();
  const received = Buffer.from("GET / HTTP/1.1\r\nhost: b\r\n\r\n");
  head.parse(received, 0, received.length);
  const request = new Http1Request(head, null);
  const first = Promise.withResolvers<undefined>();
  const sinkOf = (name: string, opened: () => void, answered: () => void): StreamSink => ({
    method: METHOD.get,
    websocket: false,
    http1Only: true,
    onStreamOpen(stream) {
      stream.sendRequest(request, true);
      stream.flush();
      opened();
    },
    onInterim() {},
    onResponseHead(response, last) {
      heard.push(`${name} ${response.status}${last ? " last" : ""}`);
      if (last) answered();
    },
    onResponseContent() {},
    onResponseTrailers() {},
    onReceived() {},
    onStreamFailed: (failure) => void heard.push(`${name} ${failure}`),
    onUpstreamDrain() {},
  });
  transport.open(
    target,
    sinkOf(
      "first",
      () =>
        transport.open(
          target,
          sinkOf(
            "second",
            () => {},
            () => {},
          ),
        ),
      () => first.resolve(undefined),
    ),
  );
  await first.promise;
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(heard, ["first 200 last"]);
  transport.drain();
  deadlines.stop();
  server.close();
});
