// app-b's two listeners as request handlers: the greeting, and the control that only its own pod reaches.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { messageText, readBody } from "../http-text.ts";
import { fails, parseFailRate } from "./fail-rate.ts";

export interface Greeter {
  readonly hostname: string;
  readonly version: string;
  /** Percent; written by the control server. */
  failRate: number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly print: (text: string) => void;
}

/** GET /hello greets or fails, /healthz is always well, the rest is 404. */
export function createGreetingServer(greeter: Greeter): Server {
  let number = 0;
  return createServer((request, response) => {
    const path = pathOf(request);
    if (path === "/healthz") return answer(request, response, 200, "ok\n");
    if (path !== "/hello") return answer(request, response, 404, "Not found\n");
    number += 1;
    greet(greeter, number, request, response).catch(() => response.destroy());
  });
}

/** GET /fail-rate shows the percentage, POST /fail-rate sets it. Bind it to loopback only. */
export function createControlServer(greeter: Greeter): Server {
  return createServer((request, response) => {
    if (pathOf(request) !== "/fail-rate") return answer(request, response, 404, "Not found\n");
    if (request.method === "GET") return answer(request, response, 200, `${greeter.failRate}\n`);
    if (request.method !== "POST") return answer(request, response, 405, "GET or POST\n");
    setFailRate(greeter, request, response).catch(() => response.destroy());
  });
}

async function greet(
  greeter: Greeter,
  number: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { text } = await readBody(request);
  const startLine = `${request.method} ${request.url} HTTP/${request.httpVersion}`;
  greeter.print(`Request #${number}\n${messageText(startLine, request, text)}\n`);
  if (fails(greeter.failRate, greeter.random())) {
    return send(response, 500, `Failed on purpose: FAIL_RATE is ${greeter.failRate}\n`);
  }
  const { hostname, version } = greeter;
  send(response, 200, `Hello from app-b service! Hostname: ${hostname} Version: ${version}`);
}

async function setFailRate(
  greeter: Greeter,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { text } = await readBody(request);
  const rate = parseFailRate(text);
  if (rate === null) return send(response, 400, "Send a percentage from 0 to 100\n");
  greeter.failRate = rate;
  send(response, 200, `${rate}\n`);
}

/** The body is read away, so that the connection can carry the next request. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
): void {
  request.resume();
  send(response, status, text);
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}
