// The bundle endpoint: what other trust domains need in order to verify our identities. It is public, and it
// is authenticated: its server proves the controller's own SPIFFE ID (profile https_spiffe), so a reader who
// holds an earlier bundle cannot be given somebody else's. GET of one path and nothing else.
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { contextOptions } from "#/api/tls-context.ts";
import type { Svid } from "#/identity/svid.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { CounterFamily } from "#/lib/metrics.ts";
import type { Watch } from "#/lib/watch.ts";

class BundleEndpointError extends MeshError<"listen_failed"> {}

export interface BundleEndpointOptions {
  readonly port: number;
  /** The controller's own; each handshake shows the present one. */
  readonly svid: Watch<Svid>;
  /** The document of now, JSON. */
  readonly document: () => string;
  /** By status. */
  readonly requests: CounterFamily;
}

export interface BundleEndpoint extends AsyncDisposable {
  readonly port: number;
}

export const bundlePath = "/bundle";
/** Readers come every five minutes, and connections end with their answer. */
const connectionsMax = 64;
const headerBytesMax = 8 * 1024;
const requestTimeoutMs = 5_000;
/** Node looks for requests that took too long every 30 s unless it is told otherwise. */
const timeoutCheckMs = 500;

/** Rejects with MeshError when the port cannot be had. */
export async function startBundleEndpoint(options: BundleEndpointOptions): Promise<BundleEndpoint> {
  const { port, svid, requests } = options;
  const server = createServer(
    {
      ...contextOptions(svid.get(), []),
      maxHeaderSize: headerBytesMax,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      handshakeTimeout: requestTimeoutMs,
      connectionsCheckingInterval: timeoutCheckMs,
      keepAlive: false,
    },
    (request, response) => {
      const status = answer(request, response, options);
      requests.with(String(status)).add();
    },
  );
  server.maxConnections = connectionsMax;
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.on("clientError", (_error, socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, resolve);
  await promise.catch((cause: unknown) => {
    const state = `Cannot listen on port ${port}: ${messageOf(cause)}`;
    throw new BundleEndpointError("listen_failed", state, {
      cause,
      next: "End the process that has it, or set SIGNET_BUNDLE_PORT to another port",
    });
  });
  const forget = svid.onChange((next) => server.setSecureContext(contextOptions(next, [])));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      forget();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { document }: BundleEndpointOptions,
): number {
  const isMethod = request.method === "GET" || request.method === "HEAD";
  const status = !isMethod ? 405 : request.url === bundlePath ? 200 : 404;
  const body = status === 200 ? document() : "";
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
  return status;
}
