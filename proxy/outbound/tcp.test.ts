// Outbound connections over real mutual TLS to a peer that never ends one: how certificates do.
import type { Socket } from "node:net";
import test from "ava";
import { MeshPair, ask, endpointOf } from "#/test/kit/mesh-pair.ts";
import { endsInSeconds, nearEnd, untilClosed } from "#/test/kit/soon.ts";
import type { Upstreams } from "./dispatcher.ts";
import type { EndpointState } from "./endpoint.ts";

function upstreamsOf(endpoint: EndpointState): Upstreams {
  return { kind: "endpoint", cluster: { name: "b/b:80", endpoints: [endpoint] }, endpoint };
}

for (const whose of ["the endpoint's", "our own"] as const) {
  test(`attack-17 a live TCP connection outwards is cut within a second of ${whose} certificate's end`, async (t) => {
    const notAfter = endsInSeconds(5);
    const [own, peer] = whose === "our own" ? [{ notAfter }, {}] : [{}, { notAfter }];
    await using pair = await MeshPair.create(own);
    const echo = await pair.addPeer("b", (socket) => void socket.pipe(socket), peer);
    const endpoint = endpointOf(echo.id, echo.port);
    const socket = pair.connect(await pair.addOutbound(upstreamsOf(endpoint), "tcp"));
    const talking = setInterval(() => socket.write("still here"), 20);
    t.teardown(() => clearInterval(talking));
    const { atMs, bytes } = await untilClosed(socket);
    t.true(bytes > 0);
    t.true(atMs >= notAfter - 500, `${notAfter - atMs} ms too early`);
    t.true(atMs <= notAfter + 1000, `${atMs - notAfter} ms after the end`);
    t.regex(
      pair.metrics.registry.expose(),
      /ended_by_certificate_total\{direction="outbound",how="cut"\} 1/,
    );
    t.is(endpoint.activeRequests, 0);
  });
}

test("attack-17 a response that is under way is cut with the certificate, an idle connection closed", async (t) => {
  const notAfter = endsInSeconds(5);
  await using pair = await MeshPair.create();
  const serve = (socket: Socket): void => {
    const answers = [
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort",
    ];
    socket.on("data", (bytes: Buffer) => socket.write(answers[Number(bytes.includes("/long"))]!));
  };
  const peer = await pair.addPeer("b", serve, { notAfter });
  const upstreams = upstreamsOf(endpointOf(peer.id, peer.port));
  const port = await pair.addOutbound(upstreams, "http");
  const [one, other] = [pair.connect(port), pair.connect(port)];
  const long = untilClosed(one);
  one.write("GET /long HTTP/1.1\r\nhost: b\r\n\r\n");
  t.regex(await ask(other, "GET / HTTP/1.1\r\nhost: b\r\n\r\n"), /\r\n\r\nok$/);
  const { atMs, bytes } = await long;
  t.true(bytes > 0);
  t.true(nearEnd(atMs, notAfter), `${atMs - notAfter} ms after the end`);
  const text = pair.metrics.registry.expose();
  t.regex(text, /ended_by_certificate_total\{direction="outbound",how="cut"\} 1/);
  t.regex(text, /ended_by_certificate_total\{direction="outbound",how="idle"\} 1/);
});
