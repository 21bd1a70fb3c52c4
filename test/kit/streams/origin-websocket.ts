// The WebSocket half of the application, by the library `ws`: echoes, pings, closes with the code it is asked
// for, or refuses.
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { note } from "./noted.ts";

/** Sent by the server, as a control frame. */
export const serverPing = "are you there";

/** Joins `server` at every path below /websocket. */
export function serveWebsockets(server: Server): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => {});
    const url = new URL(request.url ?? "/", "http://origin");
    if (url.pathname === "/websocket/refused") {
      const body = "not today";
      socket.end(
        `HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\nx-reason: closed\r\n\r\n${body}`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => serve(accepted, url));
  });
}

function serve(socket: WebSocket, { searchParams }: URL): void {
  const name = searchParams.get("name") ?? "";
  socket.on("error", () => {});
  socket.on("close", (code, reason) => note(name, { code, reason: reason.toString() }));
  socket.on("pong", (data: Buffer) => note(name, { pong: data.toString() }));
  socket.on("message", (data: Buffer, isBinary) => {
    const text = isBinary ? "" : data.toString();
    if (text === "ping me") socket.ping(serverPing);
    else if (text === "close 4002") socket.close(4002, "the server's reason");
    else if (text === "break off") socket.terminate();
    else socket.send(data, { binary: isBinary });
  });
}
