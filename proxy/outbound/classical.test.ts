// Calls outwards when the own pod's policy demands post-quantum key agreement, to peers that can and to
// peers that cannot, over real mutual TLS.
import type { Socket } from "node:net";
import test from "ava";
import type { ServerPolicy } from "#/api/policy.ts";
import { MeshPair, ask, endpointOf } from "#/test/kit/mesh-pair.ts";
import { untilClosed } from "#/test/kit/soon.ts";
import { hybridGroupCode } from "../tls/key-exchange.ts";
import type { Upstreams } from "./dispatcher.ts";
import type { EndpointState } from "./endpoint.ts";

const x25519 = [0x001d];
const demanding: ServerPolicy = {
  mode: "strict",
  ports: new Map(),
  requiresPostQuantum: true,
  foreignCallers: new Set(),
  source: "test",
};
const get = "GET / HTTP/1.1\r\nhost: b\r\n\r\n";
const serve = (socket: Socket): void => {
  socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
};

function upstreamsOf(endpoint: EndpointState): Upstreams {
  return { kind: "endpoint", cluster: { name: "b/b:80", endpoints: [endpoint] }, endpoint };
}

const cases: readonly [string, readonly number[], ServerPolicy | null, RegExp, string][] = [
  ["a classical endpoint", x25519, demanding, /^HTTP\/1\.1 503/, ""],
  ["a hybrid endpoint", [hybridGroupCode, ...x25519], demanding, /200 OK/, "X25519MLKEM768"],
  ["a classical endpoint where nothing is demanded", x25519, null, /200 OK/, "X25519"],
];
for (const [what, groups, policy, answer, group] of cases) {
  test(`outbound calls ${what}: ${answer.source}`, async (t) => {
    await using pair = await MeshPair.create();
    pair.rules.set(policy === null ? null : { policy });
    const peer = await pair.addPeer("b", serve, {}, groups);
    const upstreams = upstreamsOf(endpointOf(peer.id, peer.port));
    const socket = pair.connect(await pair.addOutbound(upstreams, "http"));
    t.regex(await ask(socket, get), answer);
    const text = pair.metrics.registry.expose();
    const made = new RegExp(`connections_total\\{direction="outbound".*group="${group}"\\} 1`);
    if (group !== "") t.regex(text, made);
    const refused = /refusals_total\{direction="outbound",reason="key_exchange_classical"\}/;
    if (group === "") t.regex(text, refused);
    else t.notRegex(text, refused);
  });
}

for (const kind of ["http", "tcp"] as const) {
  test(`outbound ${kind} to a classical endpoint is cut once post-quantum keys are demanded, to a hybrid one not`, async (t) => {
    await using pair = await MeshPair.create();
    const half = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort";
    const answer = (socket: Socket): void => void socket.on("data", () => socket.write(half));
    const ports = await Promise.all(
      [x25519, [hybridGroupCode]].map(async (groups, index) => {
        const peer = await pair.addPeer(`b${index}`, answer, {}, groups);
        return pair.addOutbound(upstreamsOf(endpointOf(peer.id, peer.port)), kind);
      }),
    );
    const [classical, hybrid] = ports.map((port) => pair.connect(port));
    await Promise.all(
      [classical!, hybrid!].map(
        (socket) =>
          new Promise((resolve) => {
            socket.once("data", resolve);
            socket.write(get);
          }),
      ),
    );
    const closed = untilClosed(classical!);
    t.is(pair.proven.endClassical(), 1);
    await closed;
    t.false(hybrid!.destroyed);
    t.deepEqual(pair.outbound.map(({ group }) => group).toSorted(), ["X25519", "X25519MLKEM768"]);
  });
}
