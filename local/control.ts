// The control socket: HTTP over a Unix socket that only root may open. Everything a person or a program
// asks of a running local mesh comes through here.
import { chmodSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { LocalError } from "./objects.ts";
import type { Watch } from "#/lib/watch.ts";
import type { Cluster } from "./cluster.ts";
import type { Progress, Status } from "./protocol.ts";
import type { Store } from "./store.ts";

/** The mesh as far as it is controlled from outside. */
export interface ControlledMesh {
  readonly store: Store;
  readonly cluster: Cluster;
  readonly adminSocket: string;
  readonly phase: Watch<Status["phase"]>;
  readonly progress: readonly Progress[];
  status(): Status;
  applyText(text: string): Promise<readonly string[]>;
  onProgress(listener: (progress: Progress) => void): () => void;
  requestStop(): void;
}

const bodyBytesMax = 2 * 1024 * 1024;
const sidecarAdminPort = 4100;
const fetchTimeoutMs = 5_000;

type Handler = (url: URL, body: string, runtime: ControlledMesh) => Promise<unknown>;

/** "METHOD /path" -> what it does; the answer goes out as JSON, text as it is. */
const handlers: Readonly<Record<string, Handler>> = {
  "GET /status": async (_url, _body, runtime) => runtime.status(),
  "GET /objects": async (url, _body, runtime) =>
    runtime.store.list(url.searchParams.get("kind") ?? undefined),
  "POST /apply": async (_url, body, runtime) => ({ applied: await runtime.applyText(body) }),
  "POST /delete": async (_url, body, runtime) => {
    const { kind, namespace, name } = JSON.parse(body) as Record<
      "kind" | "namespace" | "name",
      string
    >;
    return { deleted: await runtime.cluster.delete(kind, namespace, name) };
  },
  "POST /exec": async (_url, body, runtime) => {
    const { pod, command, container } = JSON.parse(body) as {
      pod: string;
      command: string[];
      container?: string;
    };
    return runtime.cluster.find(pod).exec(command, container);
  },
  "POST /container": async (_url, body, runtime) => {
    const { pod, container, action } = JSON.parse(body) as Record<
      "pod" | "container" | "action",
      string
    >;
    const found = runtime.cluster.find(pod);
    const running = found.find(container);
    await found.hold(running, action !== "start", action === "kill" ? "SIGKILL" : "SIGTERM");
    return {};
  },
  "GET /logs": async (url, _body, runtime) => {
    const pod = runtime.cluster.find(url.searchParams.get("pod") ?? "");
    const running = pod.find(url.searchParams.get("container") ?? undefined);
    const tail = Number(url.searchParams.get("tail") ?? "200");
    return (running.container?.lines ?? []).slice(-tail).join("\n");
  },
  "GET /metrics": async (url, _body, runtime) => {
    const { address } = runtime.cluster.find(url.searchParams.get("pod") ?? "");
    return fetchText({ host: address, port: sidecarAdminPort, path: "/metrics" });
  },
  "GET /controller": async (url, _body, runtime) =>
    fetchText({ socketPath: runtime.adminSocket, path: url.searchParams.get("path") ?? "/" }),
  "POST /shutdown": async (_url, _body, runtime) => {
    runtime.requestStop();
    return {};
  },
};

export async function serveControl(
  runtime: ControlledMesh,
  socketPath: string,
  log: Log,
): Promise<AsyncDisposable> {
  rmSync(socketPath, { force: true });
  const server = createServer((request, response) => {
    handle(runtime, request, response).catch((error: unknown) => fail(response, error, log));
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function handle(
  runtime: ControlledMesh,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://local");
  if (request.method === "GET" && url.pathname === "/events") {
    streamProgress(runtime, response);
    return;
  }
  const handler = handlers[`${request.method} ${url.pathname}`];
  if (handler === undefined) {
    throw new LocalError("not_found", `Cannot answer "${request.method} ${url.pathname}"`);
  }
  const answer = await handler(url, await readBody(request), runtime);
  const text = typeof answer === "string";
  response.writeHead(200, {
    "content-type": text ? "text/plain; charset=utf-8" : "application/json",
  });
  response.end(text ? answer : JSON.stringify(answer));
}

/** What has happened so far, then what comes, until the mesh is up or has failed. */
function streamProgress(runtime: ControlledMesh, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const send = (progress: Progress): void => {
    response.write(`${JSON.stringify(progress)}\n`);
  };
  for (const progress of runtime.progress) send(progress);
  const stop = runtime.onProgress(send);
  const stopPhase = runtime.phase.onChange((phase) => {
    if (phase !== "starting") response.end();
  });
  if (runtime.phase.get() !== "starting") response.end();
  response.on("close", () => {
    stop();
    stopPhase();
  });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bodyBytesMax)
      throw new LocalError("object_invalid", "Cannot take so large a request");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function fail(response: ServerResponse, error: unknown, log: Log): void {
  const known = error instanceof MeshError;
  if (!known) log.error("control request failed", { reason: messageOf(error) });
  const body = {
    code: known ? error.code : "internal",
    message: messageOf(error),
    next: known ? error.next : "",
  };
  if (response.headersSent) response.destroy();
  else {
    response.writeHead(known ? 400 : 500, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  }
}

function fetchText(
  where: ({ host: string; port: number } | { socketPath: string }) & { path: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({ ...where, agent: false, timeout: fetchTimeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(unanswered(`status ${response.statusCode}: ${text.trim().slice(0, 200)}`));
      });
    });
    call.on("timeout", () => call.destroy(new Error("no answer in time")));
    call.on("error", (error) => reject(unanswered(error.message)));
    call.end();
  });
}

function unanswered(why: string): LocalError {
  return new LocalError("not_running", `Cannot read from the process: ${why}`, {
    next: "See its log with: signet local logs",
  });
}
