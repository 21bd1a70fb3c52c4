// Mutual TLS between two sidecars over loopback: who is let in, who is refused, and that no session is
// ever resumed.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:tls";
import test from "ava";
import { createAuthority } from "#/test/kit/authority.ts";
import type { Authority, LeafOptions } from "#/test/kit/authority.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { Watch } from "#/lib/watch.ts";
import { reset } from "../net/reset.ts";
import { TlsAcceptor } from "./accept.ts";
import { hybridGroupCode } from "./key-exchange.ts";
import { alpnHttp1, alpnTcp, makeCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { connectionLife, drainMarginMinMs } from "./lifetime.ts";
import { originate } from "./originate.ts";

const trustDomain = parseTrustDomain("cluster.local");
const serverId = parseSpiffeId("spiffe://cluster.local/ns/b/sa/b");
const clientId = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");

async function credentialsOf(
  authority: Authority,
  id: SpiffeId,
  options: LeafOptions = {},
  trusts: Authority = authority,
): Promise<Credentials> {
  return makeCredentials(await authority.issue(id, options), { trustDomain, roots: [trusts.root] });
}

interface Server extends AsyncDisposable {
  readonly port: number;
  /** What became of each connection: an identity or a reason. */
  readonly outcomes: string[];
  readonly credentials: Watch<Credentials | null>;
}

async function serve(credentials: Credentials): Promise<Server> {
  const outcomes: string[] = [];
  const watch = new Watch<Credentials | null>(credentials);
  const acceptor = new TlsAcceptor(watch, systemClock);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    acceptor.accept(
      socket,
      [hybridGroupCode],
      (accepted) => {
        outcomes.push(accepted.peer.id);
        accepted.socket.on("data", (bytes) => accepted.socket.write(`echo ${bytes.toString()}`));
      },
      (reason) => {
        outcomes.push(reason);
      },
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    outcomes,
    credentials: watch,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The peer's identity as the client sees it, or the fault; with one exchange of bytes. */
function dial(port: number, credentials: Credentials, expected: SpiffeId): Promise<string> {
  return new Promise((resolve) => {
    const options = { address: "127.0.0.1", port, credentials, expected, protocols: [alpnTcp] };
    originate(
      { ...options, requiresPostQuantum: false, timeoutMs: 3000, clock: systemClock },
      (socket, peer) => {
        socket.on("data", () => {
          socket.destroy();
          resolve(`${peer.id} ${peer.version} ${peer.group}`);
        });
        socket.on("error", () => resolve("broken"));
        socket.on("end", () => resolve("closed by the server"));
        socket.on("close", () => resolve("closed by the server"));
        socket.write("x");
      },
      ({ fault, detail }) => resolve(`${fault} ${detail}`),
    );
  });
}

test("tls both ends learn the other's SPIFFE ID, over TLS 1.3 with a hybrid group", async (t) => {
  const authority = await createAuthority();
  await using server = await serve(await credentialsOf(authority, serverId));
  const seen = await dial(server.port, await credentialsOf(authority, clientId), serverId);
  t.is(seen, `${serverId} TLSv1.3 X25519MLKEM768`);
  t.deepEqual(server.outcomes, [clientId]);
});

test("attack-54 an endpoint that proves another identity than expected is refused", async (t) => {
  const authority = await createAuthority();
  await using server = await serve(await credentialsOf(authority, clientId));
  const seen = await dial(server.port, await credentialsOf(authority, clientId), serverId);
  t.is(seen, "identity_refused peer_identity_unexpected");
});

const badClients: readonly [string, LeafOptions][] = [
  [
    "attack-17 an expired certificate",
    { notAfter: Date.now() - 1000, notBefore: Date.now() - 9000 },
  ],
  ["a certificate that is not valid yet", { notBefore: Date.now() + 60_000 }],
  ["attack-16 a server's certificate used as client", { usages: ["server"] }],
  ["attack-6 a certificate without a URI name", { names: [{ type: "dns", value: "a" }] }],
  [
    "attack-6 a certificate with two URI names",
    {
      names: [
        { type: "url", value: clientId },
        { type: "url", value: serverId },
      ],
    },
  ],
  [
    "attack-7 an identity of a look-alike domain",
    { names: [{ type: "url", value: "spiffe://cluster.local.evil/ns/a/sa/a" }] },
  ],
];
for (const [what, options] of badClients) {
  test(`${what} is refused by the server`, async (t) => {
    const authority = await createAuthority();
    await using server = await serve(await credentialsOf(authority, serverId));
    const seen = await dial(
      server.port,
      await credentialsOf(authority, clientId, options),
      serverId,
    );
    t.notRegex(seen, /^spiffe/);
    t.notRegex(server.outcomes.join(), /^spiffe/);
    t.is(server.outcomes.length, 1);
  });
  test(`${what.replace("as client", "the other way")} is refused by the client`, async (t) => {
    const authority = await createAuthority();
    const wrong = what.startsWith("attack-16") ? { usages: ["client"] as const } : options;
    await using server = await serve(await credentialsOf(authority, serverId, wrong));
    const seen = await dial(server.port, await credentialsOf(authority, clientId), serverId);
    t.notRegex(seen, /^spiffe/);
  });
}

test("a certificate of another root is refused by both ends", async (t) => {
  const [ours, theirs] = await Promise.all([createAuthority("ours"), createAuthority("theirs")]);
  await using server = await serve(await credentialsOf(ours, serverId));
  const stranger = await credentialsOf(theirs, clientId, {}, ours);
  t.notRegex(await dial(server.port, stranger, serverId), /^spiffe/);
  t.deepEqual(server.outcomes, ["peer_certificate_untrusted"]);
  const trusting = await credentialsOf(ours, clientId, {}, theirs);
  t.regex(await dial(server.port, trusting, serverId), /^tls_failed/);
});

test("a caller without a certificate is refused before a byte is read", async (t) => {
  const authority = await createAuthority();
  await using server = await serve(await credentialsOf(authority, serverId));
  await new Promise<void>((resolve) => {
    const socket = connect({
      port: server.port,
      host: "127.0.0.1",
      ALPNProtocols: [alpnHttp1],
      rejectUnauthorized: false,
    });
    socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: b\r\n\r\n"));
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
    socket.on("data", () => t.fail("bytes came back"));
  });
  t.deepEqual(server.outcomes, ["peer_certificate_missing"]);
});

test("attack-15 a session is never resumed, with or without a certificate", async (t) => {
  const authority = await createAuthority();
  await using server = await serve(await credentialsOf(authority, serverId));
  const client = await credentialsOf(authority, clientId);
  const sessions: Buffer[] = [];
  const visit = (session: Buffer | undefined, withCertificate: boolean): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({
        port: server.port,
        host: "127.0.0.1",
        ALPNProtocols: [alpnTcp],
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
        ...(withCertificate ? { secureContext: client.context } : {}),
      });
      socket.on("session", (ticket) => sessions.push(ticket));
      socket.on("secureConnect", () => socket.write("x"));
      socket.on("data", () => {
        resolve(socket.isSessionReused() ? "resumed" : "full");
        socket.destroy();
      });
      socket.on("error", () => resolve("refused"));
      socket.on("close", () => resolve("refused"));
    });
  t.is(await visit(undefined, true), "full");
  t.true(sessions.length > 0, "the attack needs a ticket to try");
  t.is(await visit(sessions[0], true), "full");
  t.is(await visit(sessions[0], false), "refused");
});

test("attack-15 who hangs from a root that was taken away is refused, with a session from before or without", async (t) => {
  const [older, newer] = await Promise.all([createAuthority("older"), createAuthority("newer")]);
  const own = await newer.issue(serverId);
  const trusting = (...roots: readonly Authority[]): Credentials =>
    makeCredentials(own, { trustDomain, roots: roots.map(({ root }) => root) });
  await using server = await serve(trusting(older, newer));
  const client = await credentialsOf(older, clientId);
  let ticket: Buffer | undefined;
  const visit = (session: Buffer | undefined): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({
        port: server.port,
        host: "127.0.0.1",
        ALPNProtocols: [alpnTcp],
        rejectUnauthorized: false,
        secureContext: client.context,
        ...(session === undefined ? {} : { session }),
      });
      socket.on("session", (given: Buffer) => (ticket = given));
      socket.on("secureConnect", () => socket.write("x"));
      socket.on("data", () => {
        resolve("answered");
        socket.destroy();
      });
      socket.on("error", () => resolve("refused"));
      socket.on("close", () => resolve("refused"));
    });
  t.is(await visit(undefined), "answered");
  t.truthy(ticket, "the attack needs a ticket to try");
  server.credentials.set(trusting(newer));
  t.is(await visit(ticket), "refused");
  t.is(await visit(undefined), "refused");
  t.deepEqual(server.outcomes.slice(1), [
    "peer_certificate_untrusted",
    "peer_certificate_untrusted",
  ]);
});

test("attack-47 a connection that is reset as soon as its handshake ends takes nothing else along", async (t) => {
  const authority = await createAuthority();
  const credentials = await credentialsOf(authority, serverId);
  const acceptor = new TlsAcceptor(new Watch<Credentials | null>(credentials), systemClock);
  const accepted: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    acceptor.accept(
      socket,
      [hybridGroupCode],
      ({ socket: secured, peer }) => {
        accepted.push(peer.id);
        reset(secured);
      },
      (reason) => accepted.push(reason),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const client = await credentialsOf(authority, clientId);
  const where = { address: "127.0.0.1", port, credentials: client, expected: serverId };
  // Both ends at once: whoever comes second resets what is gone.
  await new Promise<void>((resolve) => {
    originate(
      {
        ...where,
        protocols: [alpnTcp],
        requiresPostQuantum: false,
        timeoutMs: 3000,
        clock: systemClock,
      },
      (socket) => {
        reset(socket);
        resolve();
      },
      () => resolve(),
    );
  });
  t.notRegex(await dial(port, client, serverId), /^spiffe/);
  t.regex(accepted.join(), /^spiffe/);
});

test("attack-47 garbage in the middle of a handshake ends that connection alone", async (t) => {
  const authority = await createAuthority();
  await using server = await serve(await credentialsOf(authority, serverId));
  const { connect: dialRaw } = await import("node:net");
  await new Promise<void>((resolve) => {
    const socket = dialRaw(server.port, "127.0.0.1", () => {
      socket.write(Buffer.from("16030100050100000100", "hex"));
      socket.write(Buffer.alloc(4096, 0xff));
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.resume();
  });
  t.deepEqual(server.outcomes, ["handshake_failed"]);
  t.regex(await dial(server.port, await credentialsOf(authority, clientId), serverId), /^spiffe/);
});

test("tls new connections take new credentials, live ones keep theirs", async (t) => {
  const authority = await createAuthority();
  await using server = await serve(await credentialsOf(authority, serverId));
  const client = await credentialsOf(authority, clientId);
  t.regex(await dial(server.port, client, serverId), /^spiffe/);
  server.credentials.set(await credentialsOf(authority, clientId));
  t.regex(await dial(server.port, client, serverId), /unexpected/);
  server.credentials.set(null);
  t.notRegex(await dial(server.port, client, serverId), /^spiffe/);
});

test("lifetime ends with the earlier certificate and drains before it", (t) => {
  t.deepEqual(connectionLife(0, 900_000, 60_000), { drainAtMs: 50_000, cutAtMs: 60_000 });
  t.deepEqual(connectionLife(0, 30_000, 900_000), { drainAtMs: 25_000, cutAtMs: 30_000 });
  t.deepEqual(connectionLife(0, 6_000, 6_000), {
    drainAtMs: 6_000 - drainMarginMinMs,
    cutAtMs: 6_000,
  });
});
