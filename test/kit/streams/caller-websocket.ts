// WebSockets as applications open them: by the library `ws`, and by the client that Node brings along.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket as WebSocketOfWs } from "ws";
import { askNoted } from "./caller-http.ts";
import { host } from "./ports.ts";

const base = `ws://${host}`;

async function open(name: string, deflate = false): Promise<WebSocketOfWs> {
  const socket = new WebSocketOfWs(`${base}/websocket?name=${name}`, ["first", "second"], {
    perMessageDeflate: deflate ? { threshold: 0 } : false,
  });
  socket.on("error", () => {});
  await once(socket, "open");
  return socket;
}

async function echoOf(socket: WebSocketOfWs, data: string | Buffer): Promise<Buffer> {
  const answered = once(socket, "message");
  socket.send(data);
  const [answer] = (await answered) as [Buffer];
  return answer;
}

/** Every kind of message comes back as it went. */
export async function messages(): Promise<unknown> {
  const socket = await open("messages");
  const small = await echoOf(socket, "grüße");
  const binary = randomBytes(1000);
  const large = randomBytes(1024 * 1024);
  const largeText = large.toString("base64").slice(0, 1024 * 1024);
  const seen = {
    protocol: socket.protocol,
    text: small.toString(),
    binary: (await echoOf(socket, binary)).equals(binary),
    large: (await echoOf(socket, large)).equals(large),
    largeText: (await echoOf(socket, largeText)).toString() === largeText,
  };
  // Three frames, one message.
  const fragmented = once(socket, "message");
  socket.send("frag", { fin: false });
  socket.send("ment", { fin: false });
  socket.send("ed", { fin: true });
  const [joined] = (await fragmented) as [Buffer];
  const pinged = once(socket, "pong");
  socket.ping("the caller's");
  const [pong] = (await pinged) as [Buffer];
  const serverPing = once(socket, "ping");
  socket.send("ping me");
  const [ping] = (await serverPing) as [Buffer];
  const many = await ordered(socket, 2000);
  socket.close(1000);
  await once(socket, "close");
  return {
    ...seen,
    fragmented: joined.toString(),
    pong: pong.toString(),
    ping: ping.toString(),
    many,
  };
}

/** Whether so many messages, sent without waiting, come back in order. */
async function ordered(socket: WebSocketOfWs, count: number): Promise<boolean> {
  let next = 0;
  let good = true;
  const all = new Promise<void>((resolve) => {
    socket.on("message", (data: Buffer) => {
      good &&= data.toString() === String(next);
      next += 1;
      if (next === count) resolve();
    });
  });
  for (let index = 0; index < count; index += 1) socket.send(String(index));
  await all;
  return good;
}

/** Extensions are agreed on by the ends. */
export async function deflated(): Promise<unknown> {
  const socket = await open("deflated", true);
  const text = "compressible ".repeat(10_000);
  const good = (await echoOf(socket, text)).toString() === text;
  const { extensions } = socket;
  socket.close();
  await once(socket, "close");
  return { good, extensions };
}

/** How each side learns of the other's end: [code, reason]. */
export async function closes(): Promise<unknown> {
  const byCaller = await open("by-caller");
  byCaller.close(4001, "the caller's reason");
  const callerSaw = await closeOf(byCaller);
  const byServer = await open("by-server");
  byServer.send("close 4002");
  const serverClosed = await closeOf(byServer);
  const brokenOff = await open("broken-off");
  brokenOff.send("break off");
  const broken = await closeOf(brokenOff);
  const vanished = await open("vanished");
  vanished.terminate();
  return {
    callerSaw,
    serverSaw: await askNoted("by-caller", "code"),
    serverClosed,
    broken,
    vanished: await askNoted("vanished", "code"),
  };
}

function closeOf(socket: WebSocketOfWs): Promise<readonly [number, string]> {
  return new Promise((resolve) => {
    socket.once("close", (code, reason) => resolve([code, reason.toString()]));
  });
}

/** A server that does not want to: its answer reaches the caller as it is. */
export async function refused(): Promise<unknown> {
  const socket = new WebSocketOfWs(`${base}/websocket/refused`);
  socket.on("error", () => {});
  const seen = await new Promise((resolve) => {
    socket.once("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (text: Buffer) => (body += text.toString()));
      response.on("end", () =>
        resolve({ status: response.statusCode, reason: response.headers["x-reason"], body }),
      );
    });
  });
  const other = new WebSocket(`${base}/websocket/refused`);
  const closed = await new Promise((resolve) => {
    other.addEventListener("close", ({ code }) => resolve(code));
  });
  return { seen, closed };
}

/** The other library: the one in Node. */
export async function builtIn(): Promise<unknown> {
  const socket = new WebSocket(`${base}/websocket?name=built-in`);
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const answered = new Promise((resolve) => {
    socket.addEventListener("message", ({ data }) => resolve(data));
  });
  socket.send("from undici");
  const text = await answered;
  const closed = new Promise((resolve) => {
    socket.addEventListener("close", ({ code, wasClean }) => resolve({ code, wasClean }));
  });
  socket.close(3001, "done");
  return { text, closed: await closed, noted: await askNoted("built-in", "code") };
}
