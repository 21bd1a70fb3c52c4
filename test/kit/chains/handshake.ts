// What a sidecar says of a caller's chain: a handshake over loopback with the acceptor that sidecars
// have, by a caller that sends whatever it is given.
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { connect, createSecureContext } from "node:tls";
import { toPem } from "#/identity/bundle.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { Watch } from "#/lib/watch.ts";
import { TlsAcceptor } from "#/proxy/tls/accept.ts";
import { hybridGroupCode } from "#/proxy/tls/key-exchange.ts";
import { alpnTcp, makeCredentials } from "#/proxy/tls/credentials.ts";
import type { Credentials } from "#/proxy/tls/credentials.ts";
import type { ChainCase } from "./chain-case.ts";
import { leafKey } from "./chain-case.ts";

export interface Site {
  /** Whose sidecar it is. */
  readonly own: Svid;
  readonly trustDomain: TrustDomain;
  readonly roots: readonly Uint8Array[];
}

/** "accepted", or the reason of the refusal. */
export async function handshakeVerdict(
  { own, trustDomain, roots }: Site,
  { chain, key = leafKey }: ChainCase,
): Promise<string> {
  const acceptor = new TlsAcceptor(
    new Watch<Credentials | null>(makeCredentials(own, { trustDomain, roots })),
    systemClock,
  );
  const sockets: Socket[] = [];
  const outcome = Promise.withResolvers<string>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    acceptor.accept(
      socket,
      [hybridGroupCode],
      () => outcome.resolve("accepted"),
      (reason, detail) => outcome.resolve(`${reason} ${detail}`),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const caller = connect({
      port,
      host: "127.0.0.1",
      ALPNProtocols: [alpnTcp],
      rejectUnauthorized: false,
      ...presented(chain, key),
    });
    sockets.push(caller);
    caller.on("error", () => {});
    return await outcome.promise;
  } catch (thrown) {
    // What OpenSSL cannot read or does not let itself be given, no caller with OpenSSL can send.
    return `not presentable: ${String(thrown)}`;
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** With the caller's own OpenSSL as lenient as it can be. */
function presented(chain: readonly Uint8Array[], key: NonNullable<ChainCase["key"]>) {
  if (chain.length === 0) return {};
  const secureContext = createSecureContext({
    cert: chain.map(toPem).join(""),
    key: key.export({ type: "pkcs8", format: "pem" }),
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  return { secureContext };
}
