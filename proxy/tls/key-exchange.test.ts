// In which group two sidecars agree on keys, read from the bytes between them: a relay that looks on keeps
// what the called one sends, and the ServerHello in it names the group (RFC 8446 section 4.2.8).
import { createServer, connect as dial } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:tls";
import test from "ava";
import { keyShareGroups } from "#/cli/tour/server-hello.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { Watch } from "#/lib/watch.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { DETECT_BYTES_MAX, detectProtocol } from "../detect/protocol.ts";
import type { DetectedProtocol } from "../detect/protocol.ts";
import { peekFirstBytes } from "../net/first-bytes.ts";
import { TlsAcceptor } from "./accept.ts";
import { alpnTcp, makeCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { chooseGroup, isPostQuantum } from "./key-exchange.ts";
import { originate } from "./originate.ts";

const trustDomain = parseTrustDomain("cluster.local");
const id = parseSpiffeId("spiffe://cluster.local/ns/b/sa/b");

interface Wire extends AsyncDisposable {
  readonly port: number;
  readonly credentials: Credentials;
  /** What the called sidecar has sent. */
  readonly sent: () => Buffer;
  /** What it says of the group, or why it refused. */
  readonly said: Promise<string>;
}

/** A sidecar's acceptor behind a look at the first bytes, as the inbound listener has it, and a relay. */
async function wire(): Promise<Wire> {
  const authority = await createAuthority();
  const bundle = { trustDomain, roots: [authority.root] };
  const credentials = makeCredentials(await authority.issue(id), bundle);
  const acceptor = new TlsAcceptor(new Watch<Credentials | null>(credentials), systemClock);
  const said = Promise.withResolvers<string>();
  const sockets: Socket[] = [];
  const parts: Buffer[] = [];
  const keep = (socket: Socket): Socket => {
    sockets.push(socket);
    return socket.on("error", () => {});
  };
  const sidecar = createServer({ allowHalfOpen: true }, (socket) => {
    peekFirstBytes<DetectedProtocol>({
      socket: keep(socket),
      clock: systemClock,
      deadlineMs: 1000,
      bytesMax: DETECT_BYTES_MAX,
      classify: detectProtocol,
      onVerdict: (detected) => {
        acceptor.accept(
          socket,
          detected.kind === "tls" ? detected.groups : [],
          ({ peer }) => said.resolve(peer.group),
          (reason) => said.resolve(reason),
        );
      },
      onSilence: () => said.resolve("silence"),
      onClosed: () => {},
    });
  });
  const port = await listening(sidecar);
  const relay = createServer((near) => {
    const far = keep(dial({ host: "127.0.0.1", port }));
    keep(near).pipe(far);
    far.on("data", (bytes: Buffer) => {
      parts.push(bytes);
      near.write(bytes);
    });
    far.on("close", () => near.destroy());
  });
  return {
    port: await listening(relay),
    credentials,
    sent: () => Buffer.concat(parts),
    said: said.promise,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      for (const server of [sidecar, relay]) server.close();
    },
  };
}

function listening(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

test("two sidecars agree on keys in X25519MLKEM768: the ServerHello says 0x11EC, and so do both", async (t) => {
  await using between = await wire();
  const { port, credentials } = between;
  const where = { address: "127.0.0.1", port, credentials, expected: id, protocols: [alpnTcp] };
  const seen = await new Promise<string>((resolve) => {
    originate(
      { ...where, requiresPostQuantum: true, timeoutMs: 3000, clock: systemClock },
      (socket, peer) => {
        resolve(peer.group);
        t.teardown(() => socket.destroy());
      },
      ({ fault, detail }) => resolve(`${fault} ${detail}`),
    );
  });
  t.is(seen, "X25519MLKEM768");
  t.is(await between.said, "X25519MLKEM768");
  t.deepEqual(keyShareGroups(between.sent()), [0x11ec]);
});

/** Who offers what, in OpenSSL's words; a star: with a key of it at once. */
const offers: readonly [offer: string, named: readonly number[], said: string][] = [
  ["*X25519MLKEM768:X25519", [0x11ec], "X25519MLKEM768"],
  ["X25519:X25519MLKEM768", [0x11ec, 0x11ec], "X25519MLKEM768"],
  ["X25519", [0x1d], "X25519"],
  ["P-256:X25519", [0x1d, 0x1d], "X25519"],
  ["P-256", [0x17], "prime256v1"],
  ["P-384", [0x18], "secp384r1"],
  ["P-521", [], "handshake_failed"],
];
for (const [offer, named, expected] of offers) {
  test(`a sidecar takes the best of ${offer} and knows which it was: ${expected}`, async (t) => {
    await using between = await wire();
    const { material } = between.credentials;
    const caller = connect({
      host: "127.0.0.1",
      port: between.port,
      ...material,
      ca: [...material.ca],
      ALPNProtocols: [alpnTcp],
      ecdhCurve: offer,
      checkServerIdentity: () => undefined,
    });
    caller.on("error", () => {});
    t.teardown(() => caller.destroy());
    t.is(await between.said, expected);
    t.deepEqual(keyShareGroups(between.sent()), named);
  });
}

test("chooseGroup takes the hybrid one wherever it stands in the offer", (t) => {
  t.is(chooseGroup([0x1d, 0x17, 0x11ec]), "X25519MLKEM768");
  t.is(chooseGroup([0x18, 0x17]), "prime256v1");
  t.true(isPostQuantum("X25519MLKEM768"));
  for (const group of ["", "unknown", "X25519", "x25519mlkem768"]) t.false(isPostQuantum(group));
});
