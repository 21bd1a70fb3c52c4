// The admin HTTP server of every process: /livez, /readyz, /metrics for anybody who may reach the
// port, further routes only for loopback peers or over a Unix socket (whose file mode is the guard).
// GET only: nothing here changes anything. Not the data path: plain node:http.
import { chmodSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { MeshError, messageOf } from "./errors.ts";
import { isLoopback } from "./ip.ts";
import type { Log } from "./log.ts";

export class AdminError extends MeshError<"listen_failed"> {}

export interface AdminReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

export interface AdminRoute {
  (url: URL): AdminReply | Promise<AdminReply>;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words; empty when ready. */
  readonly reason: string;
}

export interface AdminOptions {
  /** TCP port, or a Unix socket's path (made with mode 0600). */
  readonly listen:
    | { readonly port: number; readonly address?: string }
    | { readonly socketPath: string };
  readonly registry: { expose(): string | Promise<string> };
  readonly ready: () => Readiness;
  /** By path, or by what it begins with, ending in "/"; answered to loopback peers and on Unix sockets only. */
  readonly routes?: Readonly<Record<string, AdminRoute>>;
  /** By path; answered to anybody who may reach the port. */
  readonly openRoutes?: Readonly<Record<string, AdminRoute>>;
  readonly log: Log;
}

export interface Admin extends AsyncDisposable {
  /** 0 on a Unix socket. */
  readonly port: number;
}

const HEADERS_BYTES_MAX = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
/** Node looks for requests that took too long every 30 s unless it is told otherwise. */
const TIMEOUT_CHECK_MS = 500;
const CONNECTIONS_MAX = 64;

/** Starts listening; throws AdminError when the port or path cannot be had. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const server = createServer(
    {
      maxHeaderSize: HEADERS_BYTES_MAX,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAlive: false,
    },
    (request, response) => {
      answer(options, request).then(
        (reply) => send(response, reply),
        (error: unknown) => {
          options.log.error("admin request failed", { reason: messageOf(error) });
          send(response, text(500, "internal error"));
        },
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.on("clientError", (_error, socket) => socket.destroy());
  await listen(server, options.listen);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server, where: AdminOptions["listen"]): Promise<void> {
  const unix = "socketPath" in where;
  const name = unix ? where.socketPath : `port ${where.port}`;
  if (unix) rmSync(where.socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new AdminError(
          "listen_failed",
          `Cannot listen on ${name}: ${error.code ?? error.message}`,
          {
            cause: error,
            next:
              error.code === "EADDRINUSE"
                ? "End the process that has it, or configure another port"
                : "",
          },
        ),
      );
    });
    if (unix) server.listen(where.socketPath, resolve);
    else server.listen(where.port, where.address ?? "::", resolve);
  });
  if (unix) chmodSync(where.socketPath, 0o600);
}

async function answer(options: AdminOptions, request: IncomingMessage): Promise<AdminReply> {
  if (request.method !== "GET") return text(405, "only GET is answered here");
  const url = URL.parse(request.url ?? "/", "http://admin");
  if (url === null) return text(400, "not a path");
  if (url.pathname === "/livez") return text(200, "ok");
  if (url.pathname === "/readyz") {
    const { ready, reason } = options.ready();
    return ready ? text(200, "ok") : text(503, `not ready: ${reason}`);
  }
  if (url.pathname === "/metrics") {
    return {
      status: 200,
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: await options.registry.expose(),
    };
  }
  const { routes = {}, openRoutes = {} } = options;
  if (Object.hasOwn(openRoutes, url.pathname)) return openRoutes[url.pathname]!(url);
  const route = routeOf(routes, url.pathname);
  if (route === undefined) return text(404, "no such page");
  const peer = request.socket.remoteAddress;
  const trusted = "socketPath" in options.listen || (peer !== undefined && isLoopback(peer));
  return trusted ? route(url) : text(403, "answered on loopback only");
}

function routeOf(
  routes: Readonly<Record<string, AdminRoute>>,
  path: string,
): AdminRoute | undefined {
  if (Object.hasOwn(routes, path)) return routes[path];
  const folder = Object.keys(routes).find((key) => key.endsWith("/") && path.startsWith(key));
  return folder === undefined ? undefined : routes[folder];
}

export function json(value: unknown, status = 200): AdminReply {
  return { status, contentType: "application/json", body: `${JSON.stringify(value)}\n` };
}

function text(status: number, message: string): AdminReply {
  return { status, contentType: "text/plain; charset=utf-8", body: `${message}\n` };
}

function send(response: ServerResponse, reply: AdminReply): void {
  response.writeHead(reply.status, {
    "content-type": reply.contentType,
    "content-length": Buffer.byteLength(reply.body),
    connection: "close",
  });
  response.end(reply.body);
}
