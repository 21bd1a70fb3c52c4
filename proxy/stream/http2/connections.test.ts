// The connections themselves, over real mutual TLS: what a member may do on one, how it ends when it is drained, cut,
// or not used, and when a second one is made.
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import type { Socket } from "node:net";
import test from "ava";
import { METHOD } from "#/http/http1/method.ts";

import { fieldLine } from "#/http/http2/field-line.ts";
import { defaultConnectionLimits } from "#/http/http2/limits.ts";
import type { ResponseFields } from "#/http/http2/response-fields.ts";
import type { Http2Stream, StreamEnd, StreamListener } from "#/http/http2/stream.ts";
import { Http2Shell as Peer } from "#/test/kit/http2-shell.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { MeshPair, answering, ask, endpointOf } from "#/test/kit/mesh-pair.ts";
import { Deadlines } from "../../net/deadline.ts";
import { defaultPoolLimits, plaintextFacts } from "../transport.ts";
import { ClientConnection } from "./client-connection.ts";
import { SETTINGS_TIMEOUT_MS, sidecarLimits } from "./limits.ts";

const fields = [
  fieldLine(":method", "GET"),
  fieldLine(":scheme", "http"),
  fieldLine(":authority", "b"),
];

/** Writes down what becomes of each of its streams. */
class Client implements StreamListener {
  readonly told: string[] = [];
  readonly peer: Peer;

  constructor(socket: Socket) {
    const limits = { ...defaultConnectionLimits, resets: sidecarLimits.resets };
    this.peer = new Peer(socket, { role: "client", limits, connectProtocol: false });
  }

  get(path: string): Http2Stream {
    const encoder = this.peer.connection.openRequest();
    if (encoder === null) throw new Error("No stream may be opened");
    for (const line of fields) encoder.line(line);
    encoder.line(fieldLine(":path", path));
    return this.peer.connection.request(this, METHOD.get, true);
  }

  onResponse(stream: Http2Stream, { status }: ResponseFields): void {
    this.told.push(`${stream.id} ${status}`);
  }

  onData(stream: Http2Stream, bytes: Buffer): void {
    stream.release(bytes.length);
  }

  onTrailers(): void {}
  onDrain(): void {}

  onReset(stream: Http2Stream, { by, unprocessed }: StreamEnd): void {
    this.told.push(`${stream.id} reset by ${by}${unprocessed ? " unprocessed" : ""}`);
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 2000 && !holds(); round += 1) await pause(5);
}

test("attack-46 a member that resets all that it asks for ends its own connection, nobody else's", async (t) => {
  await using pair = await MeshPair.create();
  let arrived = 0;
  const half = await pair.addInbound("b", (socket) => {
    socket.on("data", () => (arrived += 1));
    socket.on("end", () => socket.end());
  });
  const good = new Client(await pair.connectAsMember(half, "signet-h2"));
  const bad = new Client(await pair.connectAsMember(half, "signet-h2"));
  const burst = sidecarLimits.resets.burst + 2 * sidecarLimits.resets.perSecond;
  for (let count = 0; count < 2 * burst && !bad.peer.connection.closed; count += 1) {
    if (!bad.peer.connection.canOpen) break;
    bad.get("/").reset(8);
    if (count % 100 === 0) await turn();
  }
  await until(() => bad.peer.connection.closed);
  t.true(bad.peer.connection.closed);
  t.true(arrived < 2 * burst);
  const text = (): string => half.metrics.registry.expose();
  await until(() => text().includes('reason="reset_flood"'));
  t.regex(text(), /refusals_total\{direction="inbound",reason="reset_flood"\} 1/);
  good.get("/");
  await pause(100);
  t.false(good.peer.connection.closed);
  t.deepEqual(good.told, []);
});

test("attack-38 a request that is refused before it becomes one is counted by its reason", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound("b", () => t.fail());
  const client = new Client(await pair.connectAsMember(half, "signet-h2"));
  for (const path of ["/a%2fb", "/a\\b", "/%zz"]) client.get(path);
  await until(() => client.told.length === 3);
  t.deepEqual(
    client.told,
    [1, 3, 5].map((id) => `${id} reset by peer`),
  );
  const text = half.metrics.registry.expose();
  t.regex(text, /refusals_total\{direction="inbound",reason="bad_path"\} 3/);
});

test("an inbound connection that is drained finishes what is under way, and takes nothing more", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound("b", (socket) => {
    socket.on("data", () => {
      setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), 200);
    });
    socket.on("end", () => socket.end());
  });
  const client = new Client(await pair.connectAsMember(half, "signet-h2"));
  client.get("/");
  await pause(50);
  for (const connection of half.connections) connection.drain();
  await until(() => client.peer.connection.closed);
  t.deepEqual(client.told, ["1 200"]);
  await until(() => half.connections.size === 0);
  t.is(half.connections.size, 0);
});

test("a verdict that is taken back cuts every stream of a connection, and says why", async (t) => {
  await using pair = await MeshPair.create();
  let arrived = 0;
  const half = await pair.addInbound("b", (socket) => {
    socket.on("data", () => (arrived += 1));
    socket.on("end", () => socket.end());
  });
  const client = new Client(await pair.connectAsMember(half, "signet-h2"));
  for (const path of ["/1", "/2", "/3"]) client.get(path);
  await until(() => arrived === 3);
  for (const connection of half.connections) connection.revoke("identity_suspended");
  await until(() => client.told.length === 3);
  t.deepEqual(
    client.told,
    [1, 3, 5].map((id) => `${id} reset by connection`),
  );
  const text = half.metrics.registry.expose();
  t.regex(text, /responses_total\{[^}]*status="cancelled"\} 3/);
  t.regex(text, /refusals_total\{direction="inbound",reason="identity_suspended"\} 4/);
});

test("a second connection is made when the streams of the first are taken, and who finds no room waits", async (t) => {
  await using pair = await MeshPair.create();
  let most = 0;
  const open = new Set<Http2Stream>();
  let connections = 0;
  const peer = await pair.addHttp2Peer("b", (socket) => {
    connections += 1;
    const limits = { ...defaultConnectionLimits, streamsMax: 2 };
    void new Peer(socket, { role: "server", limits, connectProtocol: false }, (stream) => {
      open.add(stream);
      most = Math.max(most, open.size);
      setTimeout(() => {
        open.delete(stream);
        stream.openHead()?.indexed(8);
        stream.respond(true);
      }, 30);
    });
  });
  const endpoint = endpointOf(peer.id, peer.port);
  const cluster = { name: "b", endpoints: [endpoint] };
  const port = await pair.addOutbound({ kind: "endpoint", cluster, endpoint }, "http");
  const first = pair.connect(port);
  const get = "GET / HTTP/1.1\r\nhost: b\r\n\r\n";
  t.regex(await ask(first, get), /^HTTP\/1\.1 200 /);
  const callers = Array.from({ length: 12 }, () => pair.connect(port));
  const answers = await Promise.all(callers.map((socket) => ask(socket, get)));
  t.true(answers.every((answer) => answer.startsWith("HTTP/1.1 200 ")));
  t.is(connections, 2);
  t.true(most > 2 && most <= 4, `${most} at once`);
});

test("requests go on while connections between sidecars are drained again and again", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound(
    "b",
    answering(() => "ok"),
  );
  const endpoint = endpointOf(half.id, half.port);
  const cluster = { name: "b", endpoints: [endpoint] };
  const port = await pair.addOutbound({ kind: "endpoint", cluster, endpoint }, "http");
  const over = new AbortController();
  let asked = 0;
  const callers = Array.from({ length: 8 }, async () => {
    const socket = pair.connect(port);
    while (!over.signal.aborted) {
      const post = "POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 1\r\n\r\nx";
      t.regex(await ask(socket, post), /^HTTP\/1\.1 200 [^]*ok$/);
      asked += 1;
    }
  });
  for (let round = 0; round < 20; round += 1) {
    const before = asked;
    await until(() => asked > before + 8);
    for (const connection of half.connections) connection.drain();
  }
  over.abort();
  await Promise.all(callers);
  t.true(half.callers.length > 10, `${half.callers.length} connections`);
});

test("a connection that is not used, and one whose other end speaks no HTTP/2, is ended", async (t) => {
  const clock = new ManualClock(0);
  const deadlines = new Deadlines(clock);
  await using pair = await MeshPair.create();
  for (const speaks of [true, false]) {
    const heard: string[] = [];
    const closed = Promise.withResolvers<undefined>();
    const peer = await pair.addHttp2Peer("b", (socket) => {
      socket.on("end", () => socket.end());
      socket.once("close", () => closed.resolve(undefined));
      const options = {
        role: "server",
        limits: defaultConnectionLimits,
        connectProtocol: false,
      } as const;
      if (speaks) void new Peer(socket, options);
      else socket.resume();
    });
    const socket = await pair.connectAsMember(peer, "signet-h2");
    const owner = {
      context: { clock, deadlines, limits: defaultPoolLimits, onCertificateEnd: () => {} },
      onRoom() {},
      onLeft: () => void heard.push("left"),
    };
    const connection = new ClientConnection(owner, socket, { ...plaintextFacts, http2: true });
    const limitMs = speaks ? defaultPoolLimits.idleTimeoutMs : SETTINGS_TIMEOUT_MS;
    await until(() => connection.connection.settingsAcknowledged || !speaks);
    clock.advance(limitMs - 500);
    await turn();
    t.is(connection.connection.closed, false);
    clock.advance(1000);
    t.is(connection.connection.closed, true);
    t.false(connection.takes());
    await closed.promise;
    await until(() => heard.length > 0);
    t.deepEqual(heard, ["left"]);
  }
});
