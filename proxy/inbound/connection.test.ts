// Inbound connections after their handshake, over real mutual TLS: how certificates end them.
import { setTimeout as pause } from "node:timers/promises";
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
    t.true(atMs >= notAfter - 20, `${notAfter - atMs} ms too early`);
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

const forged = get.replace(
  "\r\n\r\n",
  "\r\nx-forwarded-client-cert: URI=spiffe://cluster.local/ns/admin/sa/admin\r\n\r\n",
);

for (const gapMs of [0, 60]) {
  test(`attack-36 HTTP is carried as HTTP, whatever ALPN the caller chose, after ${gapMs} ms of silence`, async (t) => {
    await using pair = await MeshPair.create();
    const half = await pair.addInbound(
      "b",
      answering((request) => request),
    );
    const socket = await pair.connectAsMember(half, "signet-tcp");
    await pause(gapMs);
    const answer = await ask(socket, forged);
    t.regex(answer, /URI=spiffe:\/\/cluster\.local\/ns\/a\/sa\/a\r\n/);
    t.notRegex(answer, /admin/);
    t.regex(await ask(socket, get), /\/ns\/a\/sa\/a/, "and the connection goes on as HTTP");
  });
}

test("attack-36 a request in drips as opaque TCP is cut before its first header", async (t) => {
  await using pair = await MeshPair.create();
  const arrived: string[] = [];
  const half = await pair.addInbound("b", (socket) => {
    socket.on("data", (bytes: Buffer) => arrived.push(bytes.toString("latin1")));
  });
  const socket = await pair.connectAsMember(half, "signet-tcp");
  const closed = untilClosed(socket);
  socket.write(forged.slice(0, 3));
  while (arrived.length === 0) await pause(10);
  socket.write(forged.slice(3));
  await closed;
  t.deepEqual(arrived, ["GET"]);
});

test("opaque TCP: a server may speak first, and then the caller", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound("b", (socket) => {
    socket.write("220 ready\r\n");
    socket.on("data", (bytes: Buffer) => socket.write(`250 ${bytes.toString("latin1")}`));
    socket.on("end", () => socket.end());
  });
  const socket = await pair.connectAsMember(half, "signet-tcp");
  const pieces: string[] = [];
  socket.on("data", (bytes: Buffer) => pieces.push(bytes.toString("latin1")));
  while (pieces.join("") !== "220 ready\r\n") await pause(5);
  socket.write("EHLO me\r\n");
  while (!pieces.join("").endsWith("250 EHLO me\r\n")) await pause(5);
  socket.end();
  await untilClosed(socket);
  t.pass();
});

for (const protocol of ["signet-h2", "signet-http/1.1", "signet-tcp"] as const) {
  test(`${protocol}: a caller that ends in the turn of its handshake is let go at once`, async (t) => {
    await using pair = await MeshPair.create();
    const half = await pair.addInbound("b", (socket) => {
      socket.resume();
      socket.on("end", () => socket.end());
    });
    const socket = await pair.connectAsMember(half, protocol);
    const began = performance.now();
    socket.end();
    await untilClosed(socket);
    // Otherwise by a timeout: of the first head, or of an idle connection.
    t.true(performance.now() - began < 5000);
  });
}

test("opaque TCP: an application that goes away while nobody speaks takes its caller along", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound("b", (socket) => {
    setTimeout(() => socket.resetAndDestroy(), 30);
  });
  await untilClosed(await pair.connectAsMember(half, "signet-tcp"));
  t.pass();
});

test("a response whose last bytes fill the caller's socket leaves a connection that can be used again", async (t) => {
  await using pair = await MeshPair.create();
  // Read in two pieces of 64 KiB, each as much as a socket takes before it asks to wait.
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 131000\r\n";
  const padding = `x-padding: ${"p".repeat(131_072 - 131_000 - head.length - 15)}\r\n\r\n`;
  const response = Buffer.from(head + padding + "b".repeat(131_000), "latin1");
  t.is(response.length, 2 * 64 * 1024);
  const half = await pair.addInbound("b", (socket) => {
    socket.on("data", () => socket.write(response));
  });
  const socket = await pair.connectAsMember(half, "signet-http/1.1");
  for (let round = 0; round < 40; round += 1) {
    t.true((await ask(socket, get)).length >= 131_000);
  }
});
