// The end of Apache's way: it is set up as a reverse proxy, and what comes here is what it understood.
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { Seen } from "./origin.ts";

/** In which Apache says what it made of the target's path. */
export const pathField = "X-Origin-Path";

/** Told of each request before it is answered. */
export function httpRecorder(port: number, tell: (seen: Seen) => void): Promise<Server> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("error", () => {});
    request.on("end", () => {
      const { method = "", url: target = "", rawHeaders: fields, headers } = request;
      const path = String(headers[pathField.toLowerCase()]);
      tell({ method, target, path, fields, body: Buffer.concat(parts).toString("latin1") });
      const text = `${method} ${target}`;
      response.writeHead(200, { "content-length": text.length });
      response.end(text, "latin1");
    });
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}
