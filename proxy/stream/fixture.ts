// What tests of the exchange and of the pool share: a sidecar's half over real sockets on loopback, an
// application that does what the test says, and a dispatcher that sends everything to it.
import { createServer, connect } from "node:net";
import type { Server, Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { Deadlines } from "../net/deadline.ts";
import { dial } from "../net/dial.ts";
import { defaultExchangeLimits } from "./dispatcher.ts";
import type { Dispatcher, LiveRequest } from "./dispatcher.ts";
import { Exchange } from "./exchange.ts";
import { Http1Transport } from "./pool.ts";
import { defaultPoolLimits, plaintextFacts } from "./transport.ts";
import type { Target } from "./transport.ts";

interface Rig extends AsyncDisposable {
  readonly port: number;
  readonly appConnections: () => number;
  readonly finished: { status: number; reason: string; requestBytes: number; bytes: number }[];
}

export function listenOn(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

/** `app` plays the application on each connection; `retries` 5xx and failures are tried again. */
export async function rig(
  app: (socket: Socket, count: number) => void,
  retries = 0,
  clock: Clock = systemClock,
): Promise<Rig> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
  };
  const appServer = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    keep(socket);
    app(socket, connections);
  });
  const target: Target = { address: "127.0.0.1", port: await listenOn(appServer) };
  const deadlines = new Deadlines(systemClock);
  const context = {
    clock,
    deadlines,
    limits: defaultPoolLimits,
    onCertificateEnd: () => {},
  };
  const transport = new Http1Transport<Target>(
    {
      connect: (to, connected, failed) =>
        dial(to, 1000, systemClock, (socket) => connected(socket, plaintextFacts), failed),
    },
    context,
  );
  const finished: Rig["finished"] = [];
  const dispatcherOf = (): Dispatcher => {
    let left = retries;
    const again = (exchange: LiveRequest): boolean => {
      if (left === 0 || !exchange.replayable) return false;
      left -= 1;
      setImmediate(() => transport.open(target, exchange));
      return true;
    };
    return {
      added: null,
      dispatch: () => {},
      open: (exchange) => transport.open(target, exchange),
      responded: (exchange, status) => status >= 500 && again(exchange),
      failed: (exchange) => again(exchange),
      cancelled: (exchange) => transport.forget(target, exchange),
      finished: ({ status, reason, requestBodyBytes, responseBodyBytes }) =>
        finished.push({ status, reason, requestBytes: requestBodyBytes, bytes: responseBodyBytes }),
      closed: () => {},
    };
  };
  const proxy = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    keep(socket);
    void new Exchange(socket, dispatcherOf(), {
      clock: systemClock,
      deadlines,
      limits: defaultExchangeLimits,
      tunnelIdleTimeoutMs: 10_000,
      shouldClose: () => false,
    });
  });
  const port = await listenOn(proxy);
  return {
    port,
    appConnections: () => connections,
    finished,
    async [Symbol.asyncDispose]() {
      deadlines.stop();
      for (const socket of sockets) socket.destroy();
      await Promise.all(
        [proxy, appServer].map((server) => new Promise((resolve) => server.close(resolve))),
      );
    },
  };
}

/** An answer's first byte; a busy machine takes its time. */
const firstMs = 3000;

/** Sends `text` and returns all that comes back until the connection ends, or is quiet after an answer began. */
export function talk(
  port: number,
  text: string | readonly string[],
  quietMs = 120,
): Promise<string> {
  return new Promise((resolve) => {
    const parts = typeof text === "string" ? [text] : text;
    const socket = connect(port, "127.0.0.1");
    let received = "";
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    };
    let timer = setTimeout(done, firstMs + parts.length * 20);
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      clearTimeout(timer);
      timer = setTimeout(done, quietMs);
    });
    socket.on("end", done);
    socket.on("error", done);
    void (async () => {
      for (const part of parts) {
        socket.write(part, "latin1");
        if (parts.length > 1) await pause(10);
      }
    })();
  });
}

export const get = "GET /hello HTTP/1.1\r\nhost: app\r\n\r\n";
export const ok = (body: string, extra = ""): string =>
  `HTTP/1.1 200 OK\r\n${extra}content-length: ${body.length}\r\n\r\n${body}`;

/** Answers each request head it sees with `respond`. */
export function answering(respond: string | ((request: string, count: number) => string)) {
  return (socket: Socket): void => {
    let count = 0;
    socket.on("data", (bytes) => {
      count += 1;
      const text = bytes.toString("latin1");
      socket.write(typeof respond === "string" ? respond : respond(text, count), "latin1");
    });
    socket.on("end", () => socket.end());
  };
}
