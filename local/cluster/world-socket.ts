// GET /watch on a Unix socket: every object, SYNCED, then changes as they come, one JSON a line. This
// is what a controller in a cluster hears from informers.
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { Store } from "../store.ts";

/** A watcher that reads so slowly is cut off; it comes back and lists again. */
const backlogBytesMax = 16 * 1024 * 1024;

const watchedKinds = new Set([
  "Namespace",
  "ServiceAccount",
  "Pod",
  "Service",
  "EndpointSlice",
  "HTTPRoute",
  "PeerAuthentication",
  "IdentitySuspension",
  "FederatedTrustDomain",
]);

export async function serveWorld(store: Store, socketPath: string): Promise<AsyncDisposable> {
  rmSync(socketPath, { force: true });
  const watchers = new Set<ServerResponse>();
  const send = (watcher: ServerResponse, value: unknown): void => {
    watcher.write(`${JSON.stringify(value)}\n`);
    if (watcher.writableLength > backlogBytesMax) watcher.destroy();
  };
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/watch") {
      response.writeHead(404).end();
      return;
    }
    response.on("error", () => {});
    response.on("close", () => watchers.delete(response));
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const object of store.list()) {
      if (watchedKinds.has(object.kind)) send(response, { type: "ADDED", object });
    }
    send(response, { type: "SYNCED" });
    watchers.add(response);
  });
  const stop = store.onEvent((event) => {
    if (!watchedKinds.has(event.object.kind)) return;
    for (const watcher of watchers) send(watcher, event);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      stop();
      for (const watcher of watchers) watcher.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
