// The declared checks against real servers: what kubelet would call passed, and what not.
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import test from "ava";
import type { ExecutionContext } from "ava";
import { systemClock } from "#/lib/clock.ts";
import { parseProbes } from "./probe.ts";
import { checkProbe } from "./relay.ts";
import { probeRoutes } from "./routes.ts";

const options = { address: "127.0.0.1", clock: systemClock };

async function listening(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

const http = (port: number, path: string, headers: readonly (readonly [string, string])[] = []) =>
  ({ kind: "http", port, path, secure: false, headers, timeoutS: 1 }) as const;

test("an HTTP check passes from 200 to 399, with the headers that were declared", async (t) => {
  const server = createHttp((request, response) => {
    if (request.url === "/slow") return;
    response.statusCode = request.headers["x-probe"] === "1" ? 200 : Number(request.url?.slice(1));
    response.end("secret");
  });
  const port = await listening(t, server);
  for (const [path, passes] of [
    ["/200", true],
    ["/302", true],
    ["/404", false],
    ["/503", false],
  ] as const) {
    t.is(await checkProbe(http(port, path), options), passes, path);
  }
  t.true(await checkProbe(http(port, "/503", [["x-probe", "1"]]), options));
  const before = performance.now();
  t.false(await checkProbe(http(port, "/slow"), options));
  t.true(performance.now() - before < 3_000);
});

test("a TCP check passes where somebody listens", async (t) => {
  const server = createHttp();
  const port = await listening(t, server);
  t.true(await checkProbe({ kind: "tcp", port, timeoutS: 1 }, options));
  server.close();
  t.false(await checkProbe({ kind: "tcp", port: 1, timeoutS: 1 }, options));
  t.false(await checkProbe(http(1, "/"), options));
  t.false(await checkProbe({ kind: "grpc", port: 1, service: "", timeoutS: 1 }, options));
});

test("a gRPC check passes when the named service says that it serves", async (t) => {
  const server = createHttp2();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    let asked = Buffer.alloc(0);
    stream.on("data", (bytes: Buffer) => (asked = Buffer.concat([asked, bytes])));
    stream.on("end", () => {
      const known = asked.subarray(5).equals(Buffer.from([0x0a, 2, 0x75, 0x70]));
      const path = headers[":path"] === "/grpc.health.v1.Health/Check";
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": path ? "0" : "12" }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, known ? 1 : 2]));
    });
  });
  const port = await listening(t, server);
  t.true(await checkProbe({ kind: "grpc", port, service: "up", timeoutS: 1 }, options));
  t.false(await checkProbe({ kind: "grpc", port, service: "down", timeoutS: 1 }, options));
});

test("only declared checks have a route, and a reply says no more than yes or no", async (t) => {
  const server = createHttp((_request, response) => response.end("secret"));
  const port = await listening(t, server);
  const probes = parseProbes(JSON.stringify({ "app/readiness": http(port, "/") }));
  const routes = probeRoutes(probes, options);
  t.deepEqual(Object.keys(routes), ["/probe/app/readiness"]);
  const reply = await routes["/probe/app/readiness"]!(new URL("http://a/"));
  t.deepEqual([reply.status, reply.body], [200, "passed\n"]);
});

test("parseProbes refuses what no injector writes", (t) => {
  for (const text of [
    "",
    "{",
    "7",
    '{"a/b":{"kind":"exec"}}',
    '{"a/b":{"kind":"tcp","port":0,"timeoutS":1}}',
  ]) {
    t.throws(() => parseProbes(text));
  }
});
