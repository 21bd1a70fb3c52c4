// What a caller may write into a handshake, and how many of them may come: nothing of it is looked up,
// nothing of it is kept.
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { connect } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import test from "ava";
import { createAuthority } from "#/test/kit/authority.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { Watch } from "#/lib/watch.ts";
import { TlsAcceptor } from "./accept.ts";
import { hybridGroupCode } from "./key-exchange.ts";
import { alpnTcp, makeCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";

const serverId = parseSpiffeId("spiffe://cluster.local/ns/b/sa/b");
const clientId = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");

interface Rig extends AsyncDisposable {
  /** One connection; resolves with what came back, or with how it failed. */
  visit(servername: string | undefined, protocols?: readonly string[]): Promise<string>;
}

async function rig(): Promise<Rig> {
  const authority = await createAuthority();
  const bundle = { trustDomain: parseTrustDomain("cluster.local"), roots: [authority.root] };
  const own = makeCredentials(await authority.issue(serverId), bundle);
  const client = makeCredentials(await authority.issue(clientId), bundle);
  const acceptor = new TlsAcceptor(new Watch<Credentials | null>(own), systemClock);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    acceptor.accept(
      socket,
      [hybridGroupCode],
      ({ socket: secured, peer }) => secured.end(peer.id),
      () => {},
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    visit: (servername, protocols = [alpnTcp]) =>
      new Promise((resolve) => {
        const socket = connect({
          host: "127.0.0.1",
          port,
          ...(servername === undefined ? {} : { servername }),
          ALPNProtocols: [...protocols],
          secureContext: client.context,
          checkServerIdentity: () => undefined,
        });
        let received = "";
        socket.on("data", (bytes) => (received += bytes.toString()));
        socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? "failed"));
        socket.on("close", () => resolve(received));
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const names = [
  "__proto__",
  "constructor",
  "toString",
  "*",
  "..",
  ".",
  "b.",
  "B.SVC.CLUSTER.LOCAL",
  "a b\r\nx: y",
  "\u00ff\u00fe",
  "127.0.0.1.evil",
  `${"a".repeat(63)}.`.repeat(3),
  "a".repeat(255),
];

test("attack-48 whatever server name a caller asks for, it is told one identity and lives or dies alone", async (t) => {
  await using it = await rig();
  for (const name of names) {
    t.is(await it.visit(name), clientId, JSON.stringify(name.slice(0, 40)));
  }
  t.is(await it.visit(undefined), clientId);
});

// By itself: OpenSSL notes the caller's own fault where the next connection of this process would find it.
test.serial("attack-48 a server name that TLS does not allow ends its own handshake", async (t) => {
  await using it = await rig();
  for (const name of ["a\u0000b", "\u0000"]) t.not(await it.visit(name), "", JSON.stringify(name));
  t.is(await it.visit("b"), clientId);
});

test("attack-48 protocols that are not the mesh's are refused in the handshake", async (t) => {
  await using it = await rig();
  for (const protocols of [
    ["h2"],
    ["http/1.1"],
    ["__proto__"],
    ["signet"],
    ["signet-tcp\u0000"],
    ["SIGNET-TCP"],
    ["x".repeat(255)],
  ]) {
    t.notRegex(await it.visit("b", protocols), /^spiffe/, protocols[0]);
  }
  t.is(await it.visit("b", ["h2", "signet-tcp"]), clientId);
});

test("attack-49 handshakes leave nothing behind: memory stays flat over 2,000 of them", async (t) => {
  await using it = await rig();
  const run = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 4) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => it.visit("b")));
      if (!answers.every((answer) => answer === clientId)) t.fail(answers.join());
    }
    collectGarbage();
  };
  // Pools of OpenSSL, of the allocator and of the compiler fill up first.
  await run(800);
  const before = process.memoryUsage();
  await run(2000);
  const after = process.memoryUsage();
  // Both ends are in this process. One TLS connection that is kept costs some 60 KiB, a certificate
  // object 2 KiB of heap; what RSS grows by besides is the allocator's own untidiness.
  const each = (kind: "heapUsed" | "rss"): number => (after[kind] - before[kind]) / 2000;
  t.true(each("heapUsed") < 1024, `${Math.round(each("heapUsed"))} bytes of heap each`);
  t.true(each("rss") < 24 * 1024, `${Math.round(each("rss"))} bytes of memory each`);
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
