// The soak's streams: WebSockets and TCP connections that are kept and talk all the time, and TCP connections
// that come and go. What is kept has to be made anew when its certificates end: that is no failure.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { host, ports } from "#/test/kit/streams/ports.ts";
import { every } from "./http-traffic.ts";
import type { Tally } from "./tally.ts";

const websockets = 8;
const websocketMs = 200;
/** Then it is closed in order, and another opened. */
const websocketLifeMs = 30_000;
const tcpKept = 4;
const tcpMs = 100;
const tcpChurned = 4;
const reopenMs = 200;
const message: Buffer = Buffer.alloc(1024, "soak ");
const hello = `${JSON.stringify({ kind: "echo", name: "", bytes: 0 })}\n`;

export function startStreams(tally: Tally): void {
  for (let index = 0; index < websockets; index += 1) keepWebsocket(tally);
  for (let index = 0; index < tcpKept; index += 1) keepTcp(tally);
  every(tcpChurned, () => churnTcp(tally));
}

function keepWebsocket(tally: Tally): void {
  const socket = new WebSocket(`ws://${host}/websocket`);
  const openedAt = performance.now();
  let sentAt = 0;
  const send = (): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (performance.now() - openedAt > websocketLifeMs) return socket.close(1000);
    sentAt = performance.now();
    socket.send(message);
  };
  socket.on("open", send);
  socket.on("message", (data: Buffer) => {
    if (data.equals(message)) tally.done("websocket", performance.now() - sentAt);
    else tally.failed("websocket", "another message came back");
    setTimeout(send, websocketMs);
  });
  socket.on("error", () => {});
  socket.on("close", (code) => {
    if (code !== 1000) tally.reopened("websocket");
    setTimeout(() => keepWebsocket(tally), code === 1000 ? 0 : reopenMs);
  });
}

function keepTcp(tally: Tally): void {
  const socket = connect({ host, port: ports.opaque });
  let sentAt = 0;
  let received = 0;
  const send = (): void => {
    sentAt = performance.now();
    if (socket.writable) socket.write(message);
  };
  socket.write(hello);
  send();
  socket.on("data", (bytes: Buffer) => {
    received += bytes.length;
    if (received < message.length) return;
    if (received > message.length) tally.failed("tcp_kept", "more came back than was sent");
    else tally.done("tcp_kept", performance.now() - sentAt);
    received = 0;
    setTimeout(send, tcpMs);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    tally.reopened("tcp_kept");
    setTimeout(() => keepTcp(tally), reopenMs);
  });
}

/** A connection, an echo, and its end in order: a handshake between the sidecars each time. */
function churnTcp(tally: Tally): void {
  const began = performance.now();
  const socket: Socket = connect({ host, port: ports.opaque });
  let received = 0;
  socket.write(hello);
  socket.end(message);
  socket.on("data", (bytes: Buffer) => (received += bytes.length));
  socket.once("error", (error) => tally.failed("tcp_churned", error.message));
  socket.once("end", () => {
    if (received === message.length) tally.done("tcp_churned", performance.now() - began);
    else tally.failed("tcp_churned", `${received} of ${message.length} bytes came back`);
  });
}
