// Four streams whose readers stop, one for each way through the pair: how much the writers get rid of before
// they are stopped too, and whether all of it arrives once somebody reads again.
import type { Readable } from "node:stream";
import { BlockReader, sendBlocks } from "./blocks.ts";
import { call, noted, responseTo, textOf } from "./caller-http.ts";
import { order, textUntilEnd } from "./caller-tcp.ts";
import type { BlockReader as Reader } from "./blocks.ts";

const ways = ["http_down", "http_up", "tcp_down", "tcp_up"] as const;
type Way = (typeof ways)[number];
type Sent = Record<Way, number>;

interface Stalled {
  /** What the writer has got rid of. */
  readonly sent: () => Promise<number>;
  /** Lets the reader read; resolves when all has arrived. */
  readonly resume: () => Promise<{ readonly bytes: number; readonly fault: string }>;
}

const settledMs = 600;
const settleMsMax = 20_000;

export interface StallReport {
  /** Bytes that each writer got rid of while nobody read. */
  readonly sent: Readonly<Sent>;
  /** No writer got rid of more for 600 ms. */
  readonly settled: boolean;
}

/** Says what was sent once all four stand still; goes on when `go` resolves. */
export async function stalls(
  bytes: number,
  say: (report: StallReport) => void,
  go: Promise<unknown>,
): Promise<unknown> {
  const started = [await httpDown(bytes), httpUp(bytes), await tcpDown(bytes), tcpUp(bytes)];
  say(await settle(started));
  await go;
  return Promise.all(started.map(({ resume }) => resume()));
}

async function settle(stalled: readonly Stalled[]): Promise<StallReport> {
  const read = async (): Promise<number[]> => Promise.all(stalled.map(({ sent }) => sent()));
  const deadline = performance.now() + settleMsMax;
  let before = await read();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, settledMs));
    const now = await read();
    const settled = now.every((value, index) => value === before[index]);
    before = now;
    if (!settled && performance.now() < deadline) continue;
    const pairs = ways.map((way, index) => [way, now[index] ?? 0] as const);
    return { sent: Object.fromEntries(pairs) as Sent, settled };
  }
}

async function httpDown(bytes: number): Promise<Stalled> {
  const name = "stalled-http-down";
  const response = await responseTo(call(`/source?bytes=${bytes}&name=${name}`).end());
  return { sent: () => sentBy(name), resume: () => readAll(response) };
}

async function tcpDown(bytes: number): Promise<Stalled> {
  const name = "stalled-tcp-down";
  const socket = order("source", { name, bytes });
  await new Promise((resolve) => socket.once("readable", resolve));
  return { sent: () => sentBy(name), resume: () => readAll(socket) };
}

function httpUp(bytes: number): Stalled {
  const name = "stalled-http-up";
  const called = call(`/stalled-sink?name=${name}`, { method: "PUT" });
  let sent = 0;
  const sending = sendBlocks(called, bytes, (count) => (sent = count));
  const resume = async (): Promise<never> => {
    await textOf(call(`/resume?name=${name}`));
    await sending;
    return JSON.parse(await textOf(called)) as never;
  };
  return { sent: () => Promise.resolve(sent), resume };
}

function tcpUp(bytes: number): Stalled {
  const name = "stalled-tcp-up";
  const socket = order("stalled_sink", { name });
  let sent = 0;
  const sending = sendBlocks(socket, bytes, (count) => (sent = count));
  const resume = async (): Promise<never> => {
    await textOf(call(`/resume?name=${name}`));
    await sending;
    socket.end();
    return JSON.parse(await textUntilEnd(socket)) as never;
  };
  return { sent: () => Promise.resolve(sent), resume };
}

async function sentBy(name: string): Promise<number> {
  return Number((await noted(name))["sent"] ?? 0);
}

async function readAll(from: Readable): Promise<Pick<Reader, "bytes" | "fault">> {
  const { bytes, fault } = await new BlockReader().readAll(from);
  return { bytes, fault };
}
