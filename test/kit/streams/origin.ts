// The application of the server pod, as a program: every port of ports.ts, real libraries behind each. Says
// so when it listens, with the digest of the certificate that its own TLS shows.
import { X509Certificate } from "node:crypto";
import { createServer as createTlsServer } from "node:tls";
import type { Server } from "node:net";
import { createAuthority } from "../authority.ts";
import { createHttpOrigin } from "./origin-http.ts";
import { createBannerOrigin, createTcpOrigin } from "./origin-tcp.ts";
import { serveWebsockets } from "./origin-websocket.ts";
import { ports } from "./ports.ts";

const authority = await createAuthority("the application's own");
const own = await authority.issue("spiffe://elsewhere.example/own", {
  names: [{ type: "dns", value: "own.example" }],
});
const certificate = new X509Certificate(own.chain[0]!);
const key = own.privateKey.export({ type: "pkcs8", format: "pem" });

const createTlsOrigin = (): Server =>
  createTlsServer({ cert: certificate.toString(), key, ALPNProtocols: ["own/1"] }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });

const http = createHttpOrigin();
serveWebsockets(http);
const listening: readonly (readonly [number, Server])[] = [
  [ports.http, http],
  [ports.opaque, createTcpOrigin()],
  [ports.detected, createTcpOrigin()],
  [ports.bannerOpaque, createBannerOrigin()],
  [ports.bannerDetected, createBannerOrigin()],
  [ports.tls, createTlsOrigin()],
  [ports.tlsDetected, createTlsOrigin()],
];
await Promise.all(
  listening.map(
    ([port, server]) =>
      new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, "0.0.0.0", () => resolve());
      }),
  ),
);
process.stdout.write(`${JSON.stringify({ fingerprint: certificate.fingerprint256 })}\n`);
