// The HTTP half of the application: server-sent events, long polls, large bodies both ways, callers and bodies
// that it lets wait.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { BlockReader, sendBlocks } from "./blocks.ts";
import { note, noted } from "./noted.ts";
import { resume, resumed } from "./stalled.ts";

type Handle = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** Silence between the first event and the second. */
export const eventGapMs = 1500;
const retryMs = 50;

const routes: Readonly<Record<string, Handle>> = {
  "/once": (_request, response) => void response.end("once"),
  "/noted": (_request, response, url) => answer(response, noted(nameOf(url))),
  "/events": sendEvents,
  /** Answers after `ms` of silence, head and all. */
  "/poll": (_request, response, url) => {
    setTimeout(() => response.end("polled"), numberOf(url, "ms"));
  },
  /** `bytes` of the stream; chunked unless `sized`. */
  "/source": (_request, response, url) => {
    const bytes = numberOf(url, "bytes");
    response.writeHead(200, url.searchParams.has("sized") ? { "content-length": bytes } : {});
    sendBlocks(response, bytes, (sent) => note(nameOf(url), { sent })).then(
      () => response.end(),
      () => {},
    );
  },
  "/sink": (request, response) => void read(request, response),
  /** As /sink, but nothing is read until somebody asks for /resume. */
  "/stalled-sink": (request, response, url) => {
    void resumed(nameOf(url)).then(() => read(request, response));
  },
  "/resume": (_request, response, url) => {
    resume(nameOf(url));
    response.end();
  },
  /** How long each piece (its time of sending, as text) was on its way, in milliseconds. */
  "/drip": (request, response) => {
    const lateMs: number[] = [];
    request.on("data", (piece: Buffer) => lateMs.push(Date.now() - Number(piece.toString())));
    request.on("end", () => answer(response, { lateMs }));
  },
};

export function createHttpOrigin(): Server {
  return createServer({ requestTimeout: 0 }, (request, response) => {
    const url = new URL(request.url ?? "/", "http://origin");
    const handle = routes[url.pathname];
    if (handle !== undefined) handle(request, response, url);
    else response.writeHead(404).end();
  });
}

async function read(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { bytes, fault } = await new BlockReader().readAll(request);
  answer(response, { bytes, fault });
}

/** One at once, two after a silence, and the end; who comes back is told what it said it had. */
function sendEvents(request: IncomingMessage, response: ServerResponse, url: URL): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const last = Number(request.headers["last-event-id"] ?? 0);
  const send = (id: number): void => {
    response.write(`id: ${id}\ndata: ${JSON.stringify({ sentAt: Date.now(), last })}\n\n`);
  };
  response.write(`retry: ${retryMs}\n`);
  send(last + 1);
  response.on("close", () => note(nameOf(url), { goneAfter: last }));
  if (last > 0) return;
  setTimeout(() => {
    send(2);
    send(3);
    response.end();
  }, eventGapMs);
}

function answer(response: ServerResponse, body: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

const nameOf = (url: URL): string => url.searchParams.get("name") ?? "";
const numberOf = (url: URL, name: string): number => Number(url.searchParams.get(name));
