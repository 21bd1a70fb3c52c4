// A TCP listener of the data path: half-open sockets (half-close is passed on), Nagle off, every
// socket with an error listener from its first moment.
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { MeshError } from "#/lib/errors.ts";

export class ListenError extends MeshError<"listen_failed"> {}

export interface ListenOptions {
  readonly address: string;
  readonly port: number;
  /** Other threads listen there, too: the kernel gives each connection to one of them. */
  readonly shared: boolean;
  readonly onConnection: (socket: Socket) => void;
}

export interface Listener {
  readonly port: number;
  /** Takes no new connection; live ones are left alone. */
  close(): void;
}

export async function listen(options: ListenOptions): Promise<Listener> {
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    (socket) => {
      socket.on("error", () => {});
      options.onConnection(socket);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${options.address} port ${options.port}`;
      reject(
        new ListenError("listen_failed", `Cannot listen on ${where}: ${error.code ?? "failed"}`, {
          cause: error,
          next: error.code === "EADDRINUSE" ? "End the process that listens there already" : "",
        }),
      );
    });
    const { address: host, port, shared: reusePort } = options;
    server.listen({ port, host, reusePort, backlog: 1024 }, resolve);
  });
  server.on("error", () => {});
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : options.port,
    close: () => server.close(),
  };
}
