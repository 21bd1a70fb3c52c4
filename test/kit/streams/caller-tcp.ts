// What an application does over protocols that nobody knows: large streams, halves that end, servers that
// speak first, TLS of its own.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { BlockReader, blockBytes, sendBlocks } from "./blocks.ts";
import { askNoted } from "./caller-http.ts";
import type { TcpOrder } from "./origin-tcp.ts";
import { banner, host, ports } from "./ports.ts";

/** A connection that has told the server what it wants. */
export function order(
  kind: TcpOrder["kind"],
  more: Partial<TcpOrder> = {},
  port: number = ports.opaque,
): Socket {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.on("error", () => {});
  socket.write(`${JSON.stringify({ kind, name: "", bytes: 0, ...more } satisfies TcpOrder)}\n`);
  return socket;
}

export async function textUntilEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve, reject) => {
    socket.once("end", resolve);
    socket.once("close", () => reject(new Error("Closed without an end")));
  });
  return Buffer.concat(chunks).toString();
}

/** `bytes` down. */
export async function tcpSource(bytes: string): Promise<unknown> {
  const socket = order("source", { bytes: Number(bytes) });
  const { bytes: received, fault } = await new BlockReader().readAll(socket);
  socket.end();
  return { bytes: received, fault };
}

/** `bytes` up. */
export async function tcpSink(bytes: string): Promise<unknown> {
  const socket = order("sink");
  await sendBlocks(socket, Number(bytes));
  socket.end();
  return JSON.parse(await textUntilEnd(socket)) as unknown;
}

/** One side ends, the other goes on: first the caller's, then the server's. On either kind of port. */
export async function halves(): Promise<unknown> {
  const results = [];
  for (const port of [ports.opaque, ports.detected]) {
    const first = order("answer_after_end", {}, port);
    await sendBlocks(first, 4 * blockBytes);
    first.end();
    const answered = (await textUntilEnd(first)).length;
    const name = `end-first-${port}`;
    const second = order("end_first", { name }, port);
    const heard = await textUntilEnd(second);
    // Its server has ended; what is sent now must still arrive.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await sendBlocks(second, 4 * blockBytes);
    second.end();
    results.push({ answered, heard, noted: await askNoted(name, "received") });
  }
  return results;
}

/** Milliseconds until the server's first words, `count` times one after the other, on `port`. */
export async function banners(port: string, count: string, at: string = host): Promise<unknown> {
  const tookMs: number[] = [];
  for (let index = 0; index < Number(count); index += 1) {
    const began = performance.now();
    const socket = connect({ host: at, port: Number(port) });
    socket.on("error", () => {});
    const said = await new Promise<string>((resolve, reject) => {
      socket.once("data", (bytes: Buffer) => resolve(bytes.toString()));
      socket.once("close", () => reject(new Error("Closed before a word")));
    });
    if (said !== banner) throw new Error(`Heard ${JSON.stringify(said)}`);
    tookMs.push(performance.now() - began);
    const echoed = new Promise<string>((resolve) => {
      socket.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    });
    socket.write("hello");
    if ((await echoed) !== "hello") throw new Error("Not echoed");
    socket.destroy();
  }
  return { tookMs };
}

/** The application's own TLS: whose certificate is seen, what the ends agree on, and an echo. */
export async function ownTls(port: string, at: string = host): Promise<unknown> {
  const socket = connectTls({
    host: at,
    port: Number(port),
    rejectUnauthorized: false,
    servername: "own.example",
    ALPNProtocols: ["h2", "own/1"],
  });
  await new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  const echoed = new Promise((resolve) => {
    socket.once("data", (bytes: Buffer) => resolve(bytes.toString()));
  });
  socket.write("secret");
  const seen = {
    fingerprint: socket.getPeerCertificate().fingerprint256,
    alpn: socket.alpnProtocol,
    echo: await echoed,
  };
  socket.destroy();
  return seen;
}
