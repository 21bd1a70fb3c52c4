// Connections outwards over real mutual TLS to a peer that never ends one: how a suspension ends them,
// and how certificates end what is no longer HTTP.
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import { MeshPair, ask, endpointOf, idOf } from "#/test/kit/mesh-pair.ts";
import { endsInSeconds, nearEnd, untilClosed } from "#/test/kit/soon.ts";
import type { Upstreams } from "./dispatcher.ts";
import type { EndpointState } from "./endpoint.ts";

const get = "GET / HTTP/1.1\r\nhost: b\r\n\r\n";
const upgrade =
  "GET /ws HTTP/1.1\r\nhost: b\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
  "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

function upstreamsOf(endpoint: EndpointState): Upstreams {
  return { kind: "endpoint", cluster: { name: "b/b:80", endpoints: [endpoint] }, endpoint };
}

/** Answers, begins an answer that never ends, or becomes a WebSocket that speaks for ever. */
function serve(socket: Socket): void {
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    const text = bytes.toString("latin1");
    if (text.startsWith("GET /ws")) {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
          "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      );
      drip(socket);
    } else if (text.startsWith("GET /long")) {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort");
    } else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  });
}

function drip(socket: Socket): void {
  const timer = setInterval(() => socket.write("x"), 20);
  socket.on("error", () => {});
  socket.once("close", () => clearInterval(timer));
}

test("a suspension closes every connection to that identity, whatever it carries, and no other", async (t) => {
  await using pair = await MeshPair.create();
  const [web, raw, other] = await Promise.all([
    pair.addPeer("b", serve),
    pair.addPeer("b", drip),
    pair.addPeer("c", drip),
  ]);
  const [webPort, rawPort, otherPort] = await Promise.all([
    pair.addOutbound(upstreamsOf(endpointOf(web.id, web.port)), "http"),
    pair.addOutbound(upstreamsOf(endpointOf(raw.id, raw.port)), "tcp"),
    pair.addOutbound(upstreamsOf(endpointOf(other.id, other.port)), "tcp"),
  ]);
  const kept = pair.connect(webPort);
  t.regex(await ask(kept, get), /\r\n\r\nok$/);
  const long = pair.connect(webPort);
  long.write("GET /long HTTP/1.1\r\nhost: b\r\n\r\n");
  const tunnel = pair.connect(webPort);
  tunnel.write(upgrade);
  const broken = [long, tunnel, pair.connect(rawPort)];
  const closing = broken.map(untilClosed);
  await Promise.all(broken.map((socket) => once(socket, "data")));
  const untouched = pair.connect(otherPort);
  // One of them has become idle in the pool, and is used again.
  while (pair.proven.size < 4) await pause(10);
  const before = performance.now();
  t.is(pair.proven.suspend(new Set([idOf("b")])), 3);
  for (const { bytes } of await Promise.all(closing)) t.true(bytes > 0);
  t.true(performance.now() - before < 1_000);
  t.is(pair.proven.size, 1);
  await once(untouched, "data");
  t.regex(await ask(kept, get), /^HTTP\/1\.1 503 /, "and whoever calls is told so");
  const text = pair.metrics.registry.expose();
  // Three connections, the two requests that were on them, and the one that came after.
  t.regex(text, /refusals_total\{direction="outbound",reason="identity_suspended"\} 6/);
  pair.proven.suspend(new Set());
  t.regex(await ask(kept, get), /\r\n\r\nok$/, "until it is resumed");
});

test("a suspension of our own identity closes everything, and nobody is called", async (t) => {
  await using pair = await MeshPair.create();
  let accepted = 0;
  const peer = await pair.addPeer("b", (socket) => {
    accepted += 1;
    drip(socket);
  });
  const port = await pair.addOutbound(upstreamsOf(endpointOf(peer.id, peer.port)), "tcp");
  const live = untilClosed(pair.connect(port));
  while (pair.proven.size === 0) await pause(10);
  t.is(pair.proven.suspend(new Set([idOf("a")])), 1);
  t.true((await live).bytes >= 0);
  t.is((await untilClosed(pair.connect(port))).bytes, 0);
  t.is(accepted, 1);
});

test("a suspension during the handshake lets nothing through", async (t) => {
  await using pair = await MeshPair.create();
  const peer = await pair.addPeer("b", drip);
  const port = await pair.addOutbound(upstreamsOf(endpointOf(peer.id, peer.port)), "tcp");
  const socket = pair.connect(port);
  const closed = untilClosed(socket);
  await new Promise((next) => socket.once("connect", next));
  pair.proven.suspend(new Set([idOf("b")]));
  t.is((await closed).bytes, 0);
  t.is(pair.proven.size, 0);
});

test("attack-17 a WebSocket outwards is cut with the certificate, whoever is at the other end", async (t) => {
  const notAfter = endsInSeconds(5);
  await using pair = await MeshPair.create();
  const peer = await pair.addPeer("b", serve, { notAfter });
  const port = await pair.addOutbound(upstreamsOf(endpointOf(peer.id, peer.port)), "http");
  const socket = pair.connect(port);
  socket.write(upgrade);
  const { atMs, bytes } = await untilClosed(socket);
  t.true(bytes > 100);
  t.true(nearEnd(atMs, notAfter), `${atMs - notAfter} ms after the end`);
  t.regex(
    pair.metrics.registry.expose(),
    /ended_by_certificate_total\{direction="outbound",how="cut"\} 1/,
  );
  t.is(pair.proven.size, 0);
});
