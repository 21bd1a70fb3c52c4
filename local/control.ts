// The control socket: HTTP over a Unix socket that only root may open. Everything a person or a program
// asks of a running local mesh comes through here.
import { chmodSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { LocalError } from "./objects.ts";
import type { Watch } from "#/lib/watch.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { Progress, Status } from "./protocol.ts";
import {
  readContainerRequest,
  readExecRequest,
  readObjectReference,
  readTail,
} from "./requests.ts";
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
  deleteObject(kind: string, namespace: string, name: string): Promise<boolean>;
  onProgress(listener: (progress: Progress) => void): () => void;
  requestStop(): void;
}

const bodyBytesMax = 2 * 1024 * 1024;
const sidecarAdminPort = 4100;
const fetchTimeoutMs = 5_000;

interface Call {
  readonly query: URLSearchParams;
  readonly body: string;
  readonly mesh: ControlledMesh;
  /** Aborts when whoever asked has gone. */
  readonly signal: AbortSignal;
}

type Handler = (call: Call) => Promise<unknown>;

/** "METHOD /path" -> what it does; the answer goes out as JSON, text as it is. */
const handlers: Readonly<Record<string, Handler>> = {
  "GET /status": async ({ mesh }) => mesh.status(),
  "GET /objects": async ({ query, mesh }) => mesh.store.list(query.get("kind") ?? undefined),
  "POST /apply": async ({ body, mesh }) => ({ applied: await mesh.applyText(body) }),
  "POST /delete": async ({ body, mesh }) => {
    const { kind, namespace, name } = readObjectReference(body);
    return { deleted: await mesh.deleteObject(kind, namespace, name) };
  },
  "POST /exec": async ({ body, mesh, signal }) => {
    const { pod, command, container } = readExecRequest(body);
    return mesh.cluster.find(pod).exec(command, container, signal);
  },
  "POST /entry": async ({ body, mesh }) => {
    const { pod, command, container } = readExecRequest(body);
    return { command: await mesh.cluster.find(pod).entry(command, container) };
  },
  "POST /container": async ({ body, mesh }) => {
    const { pod, container, action } = readContainerRequest(body);
    const found = mesh.cluster.find(pod).find(container);
    if (action === "start") found.release();
    else await found.hold(action === "kill" ? "SIGKILL" : "SIGTERM");
    return {};
  },
  "GET /logs": async ({ query, mesh }) => {
    const container = mesh.cluster.find(query.get("pod") ?? "");
    const { lines } = container.find(query.get("container") ?? undefined).output;
    return lines.slice(-readTail(query.get("tail"))).join("\n");
  },
  "GET /metrics": async ({ query, mesh }) => {
    const { address } = mesh.cluster.find(query.get("pod") ?? "");
    return fetchText({ host: address, port: sidecarAdminPort, path: "/metrics" });
  },
  "GET /controller": async ({ query, mesh }) =>
    fetchText({ socketPath: mesh.adminSocket, path: query.get("path") ?? "/" }),
  "POST /shutdown": async ({ mesh }) => {
    mesh.requestStop();
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
  const name = `${request.method} ${url.pathname}`;
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (handler === undefined) {
    throw new LocalError("not_found", `Cannot answer "${name}"`);
  }
  const gone = new AbortController();
  response.on("close", () => gone.abort(new Error("Whoever asked has gone")));
  const body = await readBody(request);
  const { searchParams: query } = url;
  const answer = await handler({ query, body, mesh: runtime, signal: gone.signal });
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
