import test from "ava";
import { connect as connectHttp2 } from "node:http2";
import { connect as netConnect } from "node:net";
import { createSecureContext, connect as tlsConnect } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import type { Authority } from "#/test/kit/authority.ts";
import { answer, jwtAnswer, codeOf, connect, controllerId } from "#/test/kit/controller-server.ts";
import { hello, request, speakTls, start, until } from "#/test/kit/controller-server.ts";
import { workload } from "#/test/kit/controller-server.ts";
import type { Update } from "./discovery.ts";
import { RpcError } from "./rpc-error.ts";
import { serveController } from "./serve.ts";
import { ServingError } from "./serving-tls.ts";
import { contextOptions } from "./tls-context.ts";

const badCertificates: readonly [
  title: string,
  reason: string,
  make: (ours: Authority) => Promise<Svid>,
][] = [
  [
    "of another root",
    "certificate_unverified",
    async () => (await createAuthority("other")).issue(workload),
  ],
  [
    "that has expired",
    "certificate_unverified",
    async (ours) => {
      const past = { notBefore: Date.now() - 7_200_000, notAfter: Date.now() - 3_600_000 };
      // The client is told otherwise, so that it tries.
      return { ...(await ours.issue(workload, past)), notAfter: Date.now() + 3_600_000 };
    },
  ],
  [
    "that is not for clients (attack case 16)",
    "certificate_unverified",
    (ours) => ours.issue(workload, { usages: ["server"] }),
  ],
  [
    "of another trust domain (attack case 7)",
    "trust_domain_foreign",
    (ours) => ours.issue("spiffe://cluster.local.evil/ns/app-a/sa/app-a"),
  ],
  [
    "with two URI names (attack case 2)",
    "certificate_invalid",
    (ours) =>
      ours.issue(workload, {
        names: [
          { type: "url", value: workload },
          { type: "url", value: controllerId },
        ],
      }),
  ],
  [
    "with a DNS name alone",
    "certificate_invalid",
    (ours) => ours.issue(workload, { names: [{ type: "dns", value: "app-a" }] }),
  ],
];
for (const [title, reason, make] of badCertificates) {
  test(`serveController closes a connection with a certificate ${title}`, async (t) => {
    await using started = await start();
    const connection = connect(started, await make(started.authority));
    t.is(await codeOf(connection.issue(request, 3000)), "unavailable");
    t.true(started.refused.includes(reason), started.refused.join());
    connection.close();
  });
}

test("attack-15 no session can be resumed, with or without a certificate", async (t) => {
  await using started = await start();
  const svid = await started.authority.issue(workload);
  const sessions: Buffer[] = [];
  const context = createSecureContext(contextOptions(svid, [started.authority.root]));
  const first = tlsConnect({
    host: "127.0.0.1",
    port: started.server.port,
    secureContext: context,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  first.on("session", (session: Buffer) => sessions.push(session));
  first.on("error", () => {});
  first.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  await new Promise((resolve) => first.once("data", resolve));
  t.is(started.server.connectionCount(), 1);
  for (const session of [...sessions, first.getSession()]) {
    const second = tlsConnect({
      host: "127.0.0.1",
      port: started.server.port,
      ca: contextOptions(null, [started.authority.root]).ca,
      minVersion: "TLSv1.3",
      ALPNProtocols: ["h2"],
      checkServerIdentity: () => undefined,
      ...(session === undefined ? {} : { session }),
    });
    second.on("error", () => {});
    await new Promise((resolve) => {
      second.once("secureConnect", resolve);
      second.once("close", resolve);
    });
    t.false(second.isSessionReused());
    second.destroy();
  }
  first.destroy();
});

const badHandshakes: readonly [title: string, options: ConnectionOptions, reason: string][] = [
  ["TLS 1.2", { maxVersion: "TLSv1.2" }, "handshake_failed"],
  ["HTTP/1.1", { ALPNProtocols: ["http/1.1"] }, "handshake_failed"],
  ["no protocol at all", { ALPNProtocols: [] }, "protocol_missing"],
];
for (const [title, options, reason] of badHandshakes) {
  test(`serveController refuses a client that offers ${title}`, async (t) => {
    await using started = await start();
    await speakTls(started, options);
    await until(() => started.refused.length === 1);
    t.deepEqual(started.refused, [reason]);
  });
}

test("serveController survives bytes that are no TLS, and half a handshake", async (t) => {
  // Long enough for an honest caller on a busy machine, whose call comes last.
  await using started = await start({ limits: { handshakeMs: 1000 } });
  for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01", ""]) {
    await new Promise<void>((resolve) => {
      const socket = netConnect(started.server.port, "127.0.0.1", () => socket.write(bytes));
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
    });
  }
  await until(() => started.server.connectionCount() === 0);
  const connection = connect(started, null);
  t.deepEqual(await connection.issue(request, 5000), answer);
  connection.close();
});

test("serveController says which port it cannot have", async (t) => {
  await using started = await start();
  const { port } = started.server;
  await t.throwsAsync(start({ port }), {
    instanceOf: ServingError,
    code: "listen_failed",
    message: `Cannot listen on port ${port}: EADDRINUSE`,
  });
});

test("connectController trusts nobody but the expected identity", async (t) => {
  await using started = await start();
  const other = parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/other");
  const connection = connect(started, null, { expectedIdentity: other });
  const error = await t.throwsAsync(connection.issue(request, 3000), { instanceOf: RpcError });
  t.is(error?.code, "unavailable");
  t.regex(error?.message ?? "", /it is "spiffe:.*signet-controller", not "spiffe:.*other"/);
  connection.close();
});

test("attack-19 connectController trusts no root but the pinned ones", async (t) => {
  await using started = await start();
  const { root } = await createAuthority("other");
  const connection = connect(started, null, { roots: [root] });
  t.is(await codeOf(connection.issue(request, 3000)), "unavailable");
  connection.close();
});

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const settings = "\0\0\0\x04\0\0\0\0\0";
const garbage: readonly [title: string, bytes: string][] = [
  ["no preface", "GET / HTTP/1.1\r\n\r\n"],
  ["a frame above the limit", `${preface}${settings}\xff\xff\xff\x00\0\0\0\0\x01`],
  ["headers that are no HPACK", `${preface}${settings}\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff`],
  ["headers on stream 0", `${preface}${settings}\0\0\x01\x01\x05\0\0\0\0\x82`],
  ["half a frame", `${preface}${settings}\0\0\x10\x00\0\0\0\0\x01ab`],
];
for (const [title, bytes] of garbage) {
  test(`attack-47 ${title} where HTTP/2 is expected ends its own connection`, async (t) => {
    await using started = await start({ limits: { anonymousLifeMs: 1000 } });
    const before = connect(started, await started.authority.issue(workload));
    t.deepEqual(await before.issue(request, 3000), answer);
    await new Promise<void>((resolve) => {
      const socket = tlsConnect({
        host: "127.0.0.1",
        port: started.server.port,
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.on("secureConnect", () => socket.write(Buffer.from(bytes, "latin1")));
      socket.resume();
    });
    t.deepEqual(await before.issue(request, 3000), answer);
    before.close();
  });
}

test("attack-46 a flood of streams that are reset at once ends its own connection", async (t) => {
  await using started = await start();
  const before = connect(started, await started.authority.issue(workload));
  const session = connectHttp2(`https://127.0.0.1:${started.server.port}`, {
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  session.on("error", () => {});
  const closed = new Promise((resolve) => session.once("close", resolve));
  const flood = (): void => {
    if (session.destroyed) return;
    for (let index = 0; index < 200 && !session.destroyed && !session.closed; index += 1) {
      const stream = session.request({ ":method": "POST", ":path": "/x" });
      stream.on("error", () => {});
      stream.close(8);
    }
    setImmediate(flood);
  };
  flood();
  await closed;
  t.deepEqual(await before.issue(request, 3000), answer);
  before.close();
});

test("attack-51 one address cannot take all connections", async (t) => {
  await using started = await start({ limits: { connectionsPerAddressMax: 2 } });
  const sockets = [1, 2, 3].map(() => {
    const socket = netConnect(started.server.port, "127.0.0.1");
    socket.on("error", () => {});
    return socket;
  });
  await new Promise((resolve) => sockets[2]?.once("close", resolve));
  t.deepEqual(started.refused, ["connections_per_address_max"]);
  t.is(started.server.connectionCount(), 2);
  for (const socket of sockets) socket.destroy();
  await until(() => started.server.connectionCount() === 0);
});

test("serveController refuses connections above the total", async (t) => {
  await using started = await start({ limits: { connectionsMax: 0 } });
  const connection = connect(started, null);
  t.is(await codeOf(connection.issue(request, 3000)), "unavailable");
  t.is(started.refused[0], "connections_max");
  connection.close();
});

test("attack-17 a connection drains before the client's certificate ends and is cut when it does", async (t) => {
  await using started = await start();
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 3000;
  const socket = tlsConnect({
    host: "127.0.0.1",
    port: started.server.port,
    secureContext: createSecureContext(
      contextOptions(await started.authority.issue(workload, { notAfter }), [
        started.authority.root,
      ]),
    ),
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  socket.on("error", () => {});
  socket.resume();
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  await new Promise((resolve) => socket.once("close", resolve));
  t.true(Date.now() < notAfter + 1000);
  await until(() => started.server.connectionCount() === 0);
});

test("attack-17 a call that does not end is cut with the client's certificate", async (t) => {
  await using started = await start({ issue: () => new Promise(() => {}) });
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 3000;
  const svid = await started.authority.issue(workload, { notAfter });
  // The client is told otherwise, so that it goes on.
  const connection = connect(started, { ...svid, notAfter: notAfter + 60_000 });
  t.is(await codeOf(connection.issue(request, 60_000)), "unavailable");
  t.true(Date.now() >= notAfter && Date.now() < notAfter + 1000);
  connection.close();
});

test("attack-17 a stream is told to go elsewhere before the client's certificate ends", async (t) => {
  await using started = await start();
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 3000;
  const connection = connect(started, await started.authority.issue(workload, { notAfter }));
  const error = await new Promise<RpcError>((resolve) => {
    connection.subscribe(hello, { onUpdate() {}, onEnd: resolve });
  });
  t.is(error.code, "unavailable");
  t.true(Date.now() < notAfter);
  connection.close();
});

test("attack-17 connectController ends its calls with its own certificate, whatever the server does", async (t) => {
  await using started = await start({ issue: () => new Promise(() => {}) });
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 2000;
  const clock = { ...systemClock, now: () => Date.now() + 1500 };
  const connection = connect(started, await started.authority.issue(workload, { notAfter }), {
    clock,
  });
  const error = await t.throwsAsync(connection.issue(request, 60_000), { instanceOf: RpcError });
  t.regex(error?.message ?? "", /our certificate has ended/);
  t.true(Date.now() < notAfter);
  t.is(await codeOf(connection.issue(request, 1000)), "unavailable");
});

test("a connection without an identity lives no longer than it takes to be issued one", async (t) => {
  await using started = await start({ limits: { anonymousLifeMs: 300 } });
  const begun = Date.now();
  await speakTls(started, {});
  t.true(Date.now() - begun < 2000);
});

test("setCredentials serves the next connection with the new certificate and keeps the old ones", async (t) => {
  await using started = await start();
  const svid = await started.authority.issue(workload);
  const before = connect(started, svid);
  await new Promise<Update>((resolve) => {
    before.subscribe(hello, { onUpdate: resolve, onEnd() {} });
  });
  const next = await started.authority.issue(controllerId);
  started.server.setCredentials({ ...started.credentials, svid: next });
  const socket = tlsConnect({
    host: "127.0.0.1",
    port: started.server.port,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  t.is(socket.getPeerX509Certificate()?.serialNumber.toLowerCase(), next.serial);
  socket.destroy();
  t.deepEqual(await before.issue(request, 3000), answer);
  before.close();
});

test("drain ends streams with unavailable and accepts nothing more", async (t) => {
  await using started = await start();
  const connection = connect(started, await started.authority.issue(workload));
  const ended = new Promise<RpcError>((resolve) => {
    connection.subscribe(hello, { onUpdate: () => started.server.drain(), onEnd: resolve });
  });
  t.is((await ended).code, "unavailable");
  t.is(await codeOf(connection.issue(request, 1000)), "unavailable");
  connection.close();
});

test("a connection is made again by itself after the server came back", async (t) => {
  const started = await start();
  const { port } = started.server;
  const connection = connect(started, null);
  t.deepEqual(await connection.issue(request, 3000), answer);
  await started.server[Symbol.asyncDispose]();
  t.is(await codeOf(connection.issue(request, 1000)), "unavailable");
  await using _again = await serveController({
    address: "127.0.0.1",
    port,
    credentials: started.credentials,
    clock: systemClock,
    log: silentLog,
    handlers: {
      issue: async () => answer,
      issueJwt: async () => jwtAnswer,
      subscribe: () => ({ onMessage() {}, onEnd() {} }),
    },
  });
  const end = Date.now() + 5000;
  let code = "";
  while (Date.now() < end && code !== "ok") {
    code = await connection.issue(request, 1000).then(
      () => "ok",
      (error: RpcError) => error.code,
    );
  }
  t.is(code, "ok");
  connection.close();
});
