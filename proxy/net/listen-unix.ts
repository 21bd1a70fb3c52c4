// A Unix socket that every process of the pod may connect to: who may reach it is who has its folder mounted.
// What a former life of ours left at the path is taken away; anything but a socket is left alone.
import { lstatSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { messageOf } from "#/lib/errors.ts";
import { ListenError } from "./listen.ts";

export interface UnixListenOptions {
  readonly path: string;
  /** Connections beyond are closed at once. */
  readonly connectionsMax: number;
  readonly onConnection: (socket: Socket) => void;
  readonly onOverflow: () => void;
}

export interface UnixListener {
  /** Takes no new connection, and takes the socket away; live ones are left alone. */
  close(): void;
}

/** Rejects with ListenError. */
export async function listenUnix(options: UnixListenOptions): Promise<UnixListener> {
  const { path } = options;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    options.onConnection(socket);
  });
  server.maxConnections = options.connectionsMax;
  server.on("drop", options.onOverflow);
  try {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ path, readableAll: true, writableAll: true }, resolve);
    await promise;
  } catch (error) {
    throw new ListenError("listen_failed", `Cannot listen on "${path}": ${messageOf(error)}`, {
      cause: error,
      next: "See that its folder is mounted, may be written to, and holds nothing else of that name",
    });
  }
  server.on("error", () => {});
  return { close: () => server.close() };
}
