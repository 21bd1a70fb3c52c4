// Inbound connections after their handshake, over real mutual TLS: how certificates end them.
import test from "ava";
import { MeshPair, answering, ask } from "#/test/kit/mesh-pair.ts";
import { endsInSeconds, nearEnd, untilClosed } from "#/test/kit/soon.ts";

const get = "GET / HTTP/1.1\r\nhost: b\r\n\r\n";

for (const whose of ["the caller's", "our own"] as const) {
  test(`attack-17 a live TCP connection is cut within a second of ${whose} certificate's end`, async (t) => {
    await using pair = await MeshPair.create();
    const notAfter = endsInSeconds(5);
    const [caller, own] = whose === "our own" ? [{}, { notAfter }] : [{ notAfter }, {}];
    const half = await pair.addInbound("b", (socket) => void socket.pipe(socket), own);
    const socket = await pair.connectAsMember(half, "signet-tcp", caller);
    const talking = setInterval(() => socket.write("still here"), 20);
    t.teardown(() => clearInterval(talking));
    const { atMs, bytes } = await untilClosed(socket);
    t.true(bytes > 0);
    t.true(atMs >= notAfter - 500, `${notAfter - atMs} ms too early`);
    t.true(atMs <= notAfter + 1000, `${atMs - notAfter} ms after the end`);
    t.regex(
      half.metrics.registry.expose(),
      /ended_by_certificate_total\{direction="inbound",how="cut"\} 1/,
    );
  });
}

test("attack-17 a request that is under way is cut with the certificate", async (t) => {
  await using pair = await MeshPair.create();
  const notAfter = endsInSeconds(5);
  const half = await pair.addInbound("b", (socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort"));
  });
  const socket = await pair.connectAsMember(half, "signet-http/1.1", { notAfter });
  socket.write(get);
  const { atMs, bytes } = await untilClosed(socket);
  t.true(bytes > 0);
  t.true(nearEnd(atMs, notAfter), `${atMs - notAfter} ms after the end`);
});

test("attack-17 an HTTP connection takes no new request in its last seconds", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound(
    "b",
    answering(() => "ok"),
  );
  const late = await pair.connectAsMember(half, "signet-http/1.1", { notAfter: endsInSeconds(1) });
  t.regex(await ask(late, get), /connection: close\r\n/);
  const early = await pair.connectAsMember(half, "signet-http/1.1");
  t.notRegex(await ask(early, get), /connection: close/);
  t.regex(await ask(early, get), /\r\n\r\nok$/);
});

test("inbound HTTP has the proven identity in place of every claim", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound(
    "b",
    answering((request) => request),
  );
  const socket = await pair.connectAsMember(half, "signet-http/1.1");
  const claims = [
    "x-forwarded-client-cert",
    "X_Forwarded_Client_Cert",
    "l5d-client-id",
    "x-signet-id",
  ]
    .map((name) => `${name}: URI=spiffe://cluster.local/ns/admin/sa/admin\r\n`)
    .join("");
  const answer = await ask(socket, get.replace("\r\n\r\n", `\r\n${claims}\r\n`));
  t.regex(
    answer,
    /x-forwarded-client-cert: By=spiffe:\/\/cluster\.local\/ns\/b\/sa\/b;URI=spiffe:\/\/cluster\.local\/ns\/a\/sa\/a\r\n/,
  );
  t.notRegex(answer, /admin/);
});
