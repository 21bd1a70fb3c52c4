// The end of nginx's way: it hands each request on over SCGI (netstring of variables, then the body), and
// what comes here is what it understood.
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Seen } from "./origin.ts";

/** Told of each request before it is answered. */
export function scgiRecorder(path: string, tell: (seen: Seen) => void): Promise<Server> {
  const server = createServer((socket) => record(socket, tell));
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

function record(socket: Socket, tell: (seen: Seen) => void): void {
  let received = "";
  let done = false;
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
    const seen = done ? null : read(received);
    if (seen === null) return;
    done = true;
    tell(seen);
    const text = `${seen.method} ${seen.target}`;
    socket.end(`Status: 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`, "latin1");
  });
}

/** Null while more has to come. */
function read(received: string): Seen | null {
  const colon = received.indexOf(":");
  const start = colon + 1;
  const length = Number(received.slice(0, Math.max(colon, 0)));
  if (colon < 0 || received.length < start + length + 1) return null;
  const words = received.slice(start, start + length).split("\0");
  const variables = new Map<string, string>();
  const fields: string[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const [name = "", value = ""] = words.slice(at, at + 2);
    if (name.startsWith("HTTP_")) fields.push(name.slice("HTTP_".length), value);
    else variables.set(name, value);
  }
  const body = received.slice(start + length + 1);
  if (body.length < Number(variables.get("CONTENT_LENGTH"))) return null;
  const of = (name: string): string => variables.get(name) ?? "";
  return {
    method: of("REQUEST_METHOD"),
    target: of("REQUEST_URI"),
    path: of("DOCUMENT_URI"),
    fields,
    body,
  };
}
