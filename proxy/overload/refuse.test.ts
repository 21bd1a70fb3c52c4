// What a caller sees of a gate that is closed, over real mutual TLS and both of its ways.
import test from "ava";
import { MeshPair, answering, ask, endpointOf } from "#/test/kit/mesh-pair.ts";
import { untilClosed } from "#/test/kit/soon.ts";
import { Gate } from "./gate.ts";
import type { PressureReading } from "./gate.ts";
import { CALM, HIGH, SEVERE } from "./pressure.ts";

const get = "GET / HTTP/1.1\r\nhost: b\r\n\r\n";
const post = "POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 5\r\n\r\n";

function reading(change: Partial<PressureReading>): PressureReading {
  return { level: CALM, cause: null, arrivals: 0, ...change };
}

test("a gate refuses from its own level on, and counts what came either way", (t) => {
  const state = reading({});
  const [inbound, outbound] = [new Gate(state, HIGH), new Gate(state, SEVERE)];
  const admitted = ([CALM, HIGH, SEVERE] as const).map((level) => {
    state.level = level;
    return [inbound.admits(), outbound.admits()];
  });
  t.deepEqual(admitted, [
    [true, true],
    [false, true],
    [false, false],
  ]);
  t.is(state.arrivals, 6);
});

test("inbound HTTP is refused with 503, its connection is kept, and served again afterwards", async (t) => {
  await using pair = await MeshPair.create();
  const state = reading({ level: HIGH, cause: "lag" });
  let asked = 0;
  const app = answering(() => String((asked += 1)));
  const half = await pair.addInbound("b", app, {}, new Gate(state, HIGH));
  const socket = await pair.connectAsMember(half, "signet-http/1.1");
  const refused = await ask(socket, get);
  t.regex(refused, /^HTTP\/1\.1 503 [^]*\r\n\r\nservice unavailable\n$/);
  t.notRegex(refused, /connection: close/);
  state.level = CALM;
  t.regex(await ask(socket, get), /^HTTP\/1\.1 200 [^]*\r\n\r\n1$/);
  t.regex(
    half.metrics.registry.expose(),
    /refusals_total\{direction="inbound",reason="overloaded"\} 1/,
  );
});

test("a refused request whose body has not been read ends its connection", async (t) => {
  await using pair = await MeshPair.create();
  const gate = new Gate(reading({ level: HIGH, cause: "lag" }), HIGH);
  const half = await pair.addInbound(
    "b",
    answering(() => "no"),
    {},
    gate,
  );
  const socket = await pair.connectAsMember(half, "signet-http/1.1");
  t.regex(await ask(socket, post), /^HTTP\/1\.1 503 [^]*connection: close/);
});

test("connections are shed along with requests where memory is short", async (t) => {
  await using pair = await MeshPair.create();
  const gate = new Gate(reading({ level: HIGH, cause: "memory" }), HIGH);
  const half = await pair.addInbound(
    "b",
    answering(() => "no"),
    {},
    gate,
  );
  const socket = await pair.connectAsMember(half, "signet-http/1.1");
  const closed = untilClosed(socket);
  t.regex(await ask(socket, get), /^HTTP\/1\.1 503 [^]*connection: close/);
  await closed;
});

test("what is under way when the gate closes is carried to its end", async (t) => {
  await using pair = await MeshPair.create();
  const state = reading({});
  const half = await pair.addInbound(
    "b",
    answering((request) => (request.endsWith("hello") ? "whole" : "cut")),
    {},
    new Gate(state, HIGH),
  );
  const socket = await pair.connectAsMember(half, "signet-http/1.1");
  const answer = ask(socket, `${post}he`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  state.level = SEVERE;
  socket.write("llo");
  t.regex(await answer, /^HTTP\/1\.1 200 /);
});

test("outbound requests are refused at the severe level alone", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound(
    "b",
    answering(() => "ok"),
  );
  const state = reading({ level: HIGH, cause: "lag" });
  const endpoint = endpointOf(half.id, half.port);
  const cluster = { name: "b", endpoints: [endpoint] };
  const port = await pair.addOutbound(
    { kind: "endpoint", cluster, endpoint },
    "http",
    new Gate(state, SEVERE),
  );
  const socket = pair.connect(port);
  t.regex(await ask(socket, get), /^HTTP\/1\.1 200 /);
  state.level = SEVERE;
  t.regex(await ask(socket, get), /^HTTP\/1\.1 503 /);
  state.level = CALM;
  t.regex(await ask(socket, get), /^HTTP\/1\.1 200 /);
});
