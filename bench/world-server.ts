// Serves the world to the controller the way `local/` does: HTTP on a Unix socket, one JSON object a
// line, all of them, then SYNCED; the connection stays open and nothing changes any more.
import { once } from "node:events";
import { createServer } from "node:http";
import type { KubernetesObject } from "./world.ts";

export async function serveWorld(
  socketPath: string,
  objects: readonly KubernetesObject[],
): Promise<AsyncDisposable> {
  const lines = objects.map((object) => `${JSON.stringify({ type: "ADDED", object })}\n`);
  const body = `${lines.join("")}${JSON.stringify({ type: "SYNCED" })}\n`;
  const server = createServer((request, response) => {
    if (request.url?.split("?")[0] !== "/watch") {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    response.write(body);
  });
  server.listen(socketPath);
  await once(server, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
