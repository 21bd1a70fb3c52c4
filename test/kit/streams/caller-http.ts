// What an application does over HTTP that takes long or is much: events, long polls, large bodies, drips.
import { request } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { BlockReader, sendBlocks } from "./blocks.ts";
import type { Note } from "./noted.ts";
import { host } from "./ports.ts";

/** What the server saw is asked for until it is there. */
const notedMsMax = 5000;

export function call(path: string, options: RequestOptions = {}): ClientRequest {
  return request({ host, path, agent: false, ...options });
}

export function responseTo(called: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    called.once("response", resolve);
    called.once("error", reject);
  });
}

export async function textOf(called: ClientRequest): Promise<string> {
  const response = await responseTo(called.end());
  return Buffer.concat(await response.toArray()).toString();
}

export async function noted(name: string): Promise<Note> {
  return JSON.parse(await textOf(call(`/noted?name=${name}`))) as Note;
}

/** All that the server noted of `name`, once it has noted `key`, or when it takes too long. */
export async function askNoted(name: string, key: string): Promise<Note> {
  const deadline = performance.now() + notedMsMax;
  for (;;) {
    const note = await noted(name);
    if (key in note || performance.now() > deadline) return note;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** By the client that Node brings along; it comes back by itself, with the last id that it had. */
export async function events(): Promise<unknown> {
  const source = new EventSource(`http://${host}/events?name=events`);
  const seen: { id: number; lateMs: number; last: number }[] = [];
  await new Promise<void>((resolve) => {
    source.addEventListener("message", ({ data, lastEventId }) => {
      const { sentAt, last } = JSON.parse(data as string) as { sentAt: number; last: number };
      seen.push({ id: Number(lastEventId), lateMs: Date.now() - sentAt, last });
      if (seen.length === 4) resolve();
    });
  });
  source.close();
  // Of the second stream: the first one's end was the server's own.
  const deadline = performance.now() + notedMsMax;
  let gone = await noted("events");
  while (gone["goneAfter"] !== 3 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    gone = await noted("events");
  }
  return { seen, goneAfter: gone["goneAfter"] };
}

export async function poll(ms: string): Promise<unknown> {
  const began = performance.now();
  const text = await textOf(call(`/poll?ms=${ms}`));
  return { text, tookMs: performance.now() - began };
}

export async function drip(): Promise<unknown> {
  const called = call("/drip", { method: "POST" });
  for (let piece = 0; piece < 8; piece += 1) {
    called.write(String(Date.now()));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return JSON.parse(await textOf(called)) as unknown;
}

/** `bytes` down, as a length or in chunks. */
export async function source(bytes: string, framing: string): Promise<unknown> {
  const response = await responseTo(call(`/source?bytes=${bytes}&${framing}`).end());
  const { bytes: received, fault } = await new BlockReader().readAll(response);
  return { bytes: received, fault };
}

/** `bytes` up, as a length or in chunks. */
export async function sink(bytes: string, framing: string): Promise<unknown> {
  const headers = framing === "sized" ? { "content-length": bytes } : {};
  const called = call("/sink", { method: "PUT", headers });
  await sendBlocks(called, Number(bytes));
  return JSON.parse(await textOf(called)) as unknown;
}
