// Requests through two sidecars that speak HTTP/2 to each other, over real mutual TLS: whatever HTTP/1.1 can say
// arrives, many share a connection, and none holds up another.
import { createHash, randomBytes } from "node:crypto";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import { compileRoute } from "../../outbound/route.ts";
import type { EndpointState } from "../../outbound/endpoint.ts";
import { MeshPair, ask, endpointOf, idOf } from "#/test/kit/mesh-pair.ts";
import type { InboundHalf } from "#/test/kit/mesh-pair.ts";

interface Rig extends AsyncDisposable {
  readonly pair: MeshPair;
  readonly half: InboundHalf;
  readonly endpoint: EndpointState;
  /** Where callers find the outbound side. */
  readonly port: number;
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** `app` is Node's own HTTP server, behind two sidecars. */
async function rig(app: RequestListener): Promise<Rig> {
  const server = createServer({ keepAliveTimeout: 60_000 }, app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const pair = await MeshPair.create();
  const half = await pair.addInbound("b", (server.address() as AddressInfo).port);
  const endpoint = endpointOf(half.id, half.port);
  const cluster = { name: "b", endpoints: [endpoint] };
  const port = await pair.addOutbound({ kind: "endpoint", cluster, endpoint }, "http");
  return {
    pair,
    half,
    endpoint,
    port,
    async [Symbol.asyncDispose]() {
      await pair[Symbol.asyncDispose]();
      await closeServer(server);
    },
  };
}

interface Answer {
  readonly response: IncomingMessage;
  readonly content: Buffer;
}

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly content?: Buffer;
  readonly trailers?: Record<string, string>;
}

/** Node's own client. Rejects when the answer breaks off. */
function call(port: number, options: Call = {}): Promise<Answer> {
  const { method = "GET", path = "/", headers = {}, content, trailers } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, method, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve({ response, content: Buffer.concat(parts) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    if (trailers !== undefined) request.addTrailers(trailers);
    request.end(content);
  });
}

const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

test("pair carries the requests of many callers on one connection", async (t) => {
  await using it = await rig((request, response) => response.end(request.url));
  const paths = Array.from({ length: 100 }, (_, index) => `/${index}`);
  const answers = await Promise.all(paths.map((path) => call(it.port, { path })));
  t.deepEqual(
    answers.map(({ content }) => content.toString()),
    paths,
  );
  t.deepEqual(it.half.callers, [idOf("a")]);
  t.is(it.endpoint.activeRequests, 0);
});

for (const framing of ["length", "chunks"] as const) {
  test(`pair carries megabytes both ways at once, framed by ${framing}`, async (t) => {
    await using it = await rig((request, response) => {
      if (framing === "length") {
        response.setHeader("content-length", request.headers["content-length"] ?? "");
      }
      request.pipe(response);
    });
    const sizes = [1, 1000, 70_000, 1 << 20, 5 << 20];
    await Promise.all(
      sizes.map(async (size) => {
        const content = randomBytes(size);
        const headers =
          framing === "length"
            ? { "content-length": String(size) }
            : { "transfer-encoding": "chunked" };
        const answer = await call(it.port, { method: "POST", headers, content });
        t.is(hashOf(answer.content), hashOf(content), `${size} bytes`);
      }),
    );
    t.is(it.half.callers.length, 1);
    const text = it.half.metrics.registry.expose();
    const total = sizes.reduce((sum, size) => sum + size, 0);
    t.regex(text, new RegExp(String.raw`request_bytes_sum\{[^}]*\} ${total}`));
  });
}

test("pair carries trailers of both", async (t) => {
  await using it = await rig((request, response) => {
    request.resume();
    request.on("end", () => {
      response.write("content");
      response.addTrailers({ "x-sum": `of ${request.trailers["x-sum"]}` });
      response.end();
    });
  });
  const headers = { "transfer-encoding": "chunked", trailer: "x-sum" };
  const trailers = { "x-sum": "42" };
  const content = Buffer.from("abc");
  const answer = await call(it.port, { method: "PUT", headers, content, trailers });
  t.is(answer.content.toString(), "content");
  t.is(answer.response.trailers["x-sum"], "of 42");
});

test("pair carries answers without content as they are", async (t) => {
  await using it = await rig((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, request.method === "HEAD" ? { "content-length": "1000" } : {});
    response.end();
  });
  for (const status of [204, 304, 200, 404]) {
    const { response, content } = await call(it.port, { path: `/${status}` });
    t.is(response.statusCode, status);
    t.is(content.length, 0);
  }
  const head = await call(it.port, { method: "HEAD", path: "/200" });
  t.is(head.response.headers["content-length"], "1000");
  t.is(head.response.headers["server"], "signet");
});

test("pair carries interim answers, and waits with content until it was told to go on", async (t) => {
  await using it = await rig((request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.end("done");
    request.resume();
  });
  const socket = it.pair.connect(it.port);
  let received = "";
  socket.on("data", (bytes) => (received += bytes.toString()));
  socket.write("POST / HTTP/1.1\r\nhost: b\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
  while (!received.includes("100 Continue")) await pause(5);
  socket.write("ab");
  while (!received.endsWith("done")) await pause(5);
  t.regex(
    received,
    /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 103 Early Hints\r\n[^]*link: [^]*HTTP\/1\.1 200 /,
  );
});

test("pair ends content with the connection for a caller of HTTP/1.0, which knows no chunks", async (t) => {
  await using it = await rig((_request, response) => {
    response.write("one ");
    response.end("two");
  });
  const socket = it.pair.connect(it.port);
  let received = "";
  socket.on("data", (bytes) => (received += bytes.toString()));
  socket.write("GET / HTTP/1.0\r\nhost: b\r\n\r\n");
  await new Promise((resolve) => socket.once("end", resolve));
  t.regex(received, /^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n[^]*\r\none two$/);
  t.notRegex(received, /transfer-encoding/i);
});

test("pair tells the application that a caller has gone, and keeps the connection for others", async (t) => {
  const gone = Promise.withResolvers<string>();
  await using it = await rig((request, response) => {
    if (request.url === "/long") {
      response.on("close", () => gone.resolve(response.writableFinished ? "finished" : "gone"));
    } else response.end("still here");
  });
  const other = it.pair.connect(it.port);
  const get = "GET / HTTP/1.1\r\nhost: b\r\n\r\n";
  t.regex(await ask(other, get), /still here$/);
  const caller = it.pair.connect(it.port);
  caller.write("GET /long HTTP/1.1\r\nhost: b\r\n\r\n");
  await pause(100);
  caller.destroy();
  t.is(await gone.promise, "gone");
  t.regex(await ask(other, get), /still here$/);
  t.is(it.half.callers.length, 1);
  t.regex(it.half.metrics.registry.expose(), /responses_total\{[^}]*"cancelled"\} 1/);
  t.is(it.endpoint.activeRequests, 0);
});

test("pair does not let a caller that reads nothing hold up another", async (t) => {
  const size = 16 << 20;
  await using it = await rig((request, response) => {
    response.end(request.url === "/large" ? Buffer.alloc(size, "x") : "small");
  });
  const slow = it.pair.connect(it.port);
  slow.pause();
  slow.write("GET /large HTTP/1.1\r\nhost: b\r\n\r\n");
  await pause(200);
  const socket = it.pair.connect(it.port);
  for (let round = 0; round < 20; round += 1) {
    t.regex(await ask(socket, "GET / HTTP/1.1\r\nhost: b\r\n\r\n"), /small$/);
  }
  const whole = Promise.withResolvers<undefined>();
  let received = 0;
  slow.on("data", (bytes: Buffer) => {
    received += bytes.length;
    if (received > size) whole.resolve(undefined);
  });
  slow.resume();
  await whole.promise;
  t.true(received < size + 1000);
  t.is(it.half.callers.length, 1);
});

test("pair answers before it was sent all of a request, and serves on", async (t) => {
  await using it = await rig((request, response) => {
    response.writeHead(413).end("too much");
    request.destroy();
  });
  const early = it.pair.connect(it.port);
  const head = "POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 100000000\r\n\r\n";
  t.regex(await ask(early, head), /^HTTP\/1\.1 413 [^]*too much/);
  const { response } = await call(it.port, { method: "POST", content: Buffer.from("x") });
  t.is(response.statusCode, 413);
});

test("pair repeats what an application never took, also what may not be done twice", async (t) => {
  await using pair = await MeshPair.create();
  const gone = await pair.addInbound("one", (socket) => socket.destroy());
  const there = await pair.addInbound("two", (socket) => {
    let seen = "";
    socket.on("data", (bytes) => {
      seen += bytes.toString("latin1");
      if (!seen.endsWith("abc")) return;
      seen = "";
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo");
    });
  });
  pair.closeApp(gone);
  const endpoints = [endpointOf(gone.id, gone.port), endpointOf(there.id, there.port)];
  const cluster = { name: "both", endpoints };
  const route = {
    name: "both",
    matches: [],
    backends: [{ cluster: "both", weight: 1 }],
    retry: null,
    requestTimeoutMs: 0,
  };
  const routes = [compileRoute(route, () => cluster, null)];
  const upstreams = { service: "b/b", port: 80, protocol: "http", routes } as const;
  const socket = pair.connect(await pair.addOutbound({ kind: "service", port: upstreams }, "http"));
  for (let round = 0; round < 8; round += 1) {
    const post = "POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 3\r\n\r\nabc";
    t.regex(await ask(socket, post), /^HTTP\/1\.1 200 OK[^]*two$/);
  }
  t.regex(gone.metrics.registry.expose(), /reason="connect_failed"\} [1-9]/);
});

test("pair speaks HTTP/1.1 with a sidecar that knows nothing else, one connection for each request", async (t) => {
  await using pair = await MeshPair.create();
  let connections = 0;
  const serve = (socket: Socket): void => {
    connections += 1;
    socket.on("data", () => {
      setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), 50);
    });
  };
  const peer = await pair.addPeer("b", serve);
  const endpoint = endpointOf(peer.id, peer.port);
  const cluster = { name: "b", endpoints: [endpoint] };
  const port = await pair.addOutbound({ kind: "endpoint", cluster, endpoint }, "http");
  for (let round = 0; round < 2; round += 1) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => call(port)));
    for (const { content } of answers) t.is(content.toString(), "ok");
  }
  t.is(connections, 4);
});

test("pair carries a request with more fields than HTTP/2 takes over HTTP/1.1", async (t) => {
  await using it = await rig((request, response) => {
    response.end(String(request.rawHeaders.length / 2));
  });
  const socket = it.pair.connect(it.port);
  const fields = Array.from({ length: 126 }, (_, index) => `x-${index}: 1\r\n`).join("");
  const answer = await ask(socket, `GET / HTTP/1.1\r\nhost: b\r\n${fields}\r\n`);
  t.regex(answer, /^HTTP\/1\.1 200 [^]*\r\n128$/);
});
