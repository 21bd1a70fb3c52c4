// Cluster DNS on the node's address, UDP and TCP: services by name (a headless one by its pods'
// addresses), NXDOMAIN for everything else, no recursion. The only file that imports dns-packet.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { decode, encode, streamDecode, streamEncode } from "dns-packet";
import type { Packet } from "dns-packet";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";

/** Addresses of a full lower-case name without trailing dot; null: there is no such name. */
export type Resolve = (name: string) => readonly string[] | null;

const dnsPort = 53;
const ttlSeconds = 5;
const authoritative = 0x0400;
const truncated = 0x0200;
const recursionDesired = 0x0100;
const nameError = 3;
const notImplemented = 4;
/** RFC 1035 section 4.2.1: what does not fit is marked, and asked for again over TCP. */
const udpBytesMax = 512;
const queryBytesMax = 4096;
const tcpIdleTimeoutMs = 5_000;
const tcpConnectionsMax = 64;

/** The reply to a query (RFC 1035); null for what is no query. Pure but for `resolve`. */
export function answerQuery(query: Packet, resolve: Resolve): Packet | null {
  const question = query.questions?.[0];
  if (query.type !== "query" || question === undefined) return null;
  const opcode = (query as { readonly opcode?: string }).opcode ?? "QUERY";
  const isPlain = opcode === "QUERY" && (question.class ?? "IN") === "IN";
  const base = {
    type: "response" as const,
    ...(query.id === undefined ? {} : { id: query.id }),
    questions: [question],
  };
  const echoed = authoritative | ((query.flags ?? 0) & recursionDesired);
  if (!isPlain) return { ...base, flags: echoed | notImplemented, answers: [] };
  const addresses = resolve(question.name.toLowerCase().replace(/\.$/, ""));
  const version = question.type === "A" ? 4 : question.type === "AAAA" ? 6 : 0;
  const answers = (addresses ?? [])
    .filter((address) => (address.includes(":") ? 6 : 4) === version)
    .map((data) => ({
      type: question.type as "A",
      name: question.name,
      ttl: ttlSeconds,
      data,
    }));
  return { ...base, flags: echoed | (addresses === null ? nameError : 0), answers };
}

/** The reply as it goes out over UDP: without its answers, and marked, when it is too long. */
export function encodeForUdp(reply: Packet): Uint8Array {
  const whole = encode(reply);
  if (whole.length <= udpBytesMax) return whole;
  return encode({ ...reply, flags: (reply.flags ?? 0) | truncated, answers: [] });
}

export async function serveDns(
  address: string,
  resolve: Resolve,
  log: Log,
  port: number = dnsPort,
): Promise<AsyncDisposable & { readonly port: number }> {
  const reply = (bytes: Buffer, via: "udp" | "tcp"): Uint8Array | null => {
    try {
      const packet = answerQuery(via === "udp" ? decode(bytes) : streamDecode(bytes), resolve);
      if (packet === null) return null;
      return via === "udp" ? encodeForUdp(packet) : streamEncode(packet);
    } catch (error) {
      log.debug("dns query unreadable", { reason: messageOf(error) });
      return null;
    }
  };
  const udp = createSocket("udp4");
  udp.on("error", (error) => log.warn("dns socket failed", { reason: error.message }));
  udp.on("message", (bytes, peer) => {
    // Nobody listens on port 0, and sending there would throw.
    const answer = peer.port === 0 ? null : reply(bytes, "udp");
    if (answer !== null) udp.send(answer, peer.port, peer.address);
  });
  const tcp = createServer((socket) => serveStream(socket, (bytes) => reply(bytes, "tcp")));
  tcp.maxConnections = tcpConnectionsMax;
  const sockets = new Set<Socket>();
  tcp.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((done, failed) => {
    tcp.once("error", failed);
    tcp.listen(port, address, done);
  });
  const bound = tcp.address() as AddressInfo;
  await new Promise<void>((done, failed) => {
    udp.once("error", failed);
    udp.bind(bound.port, address, done);
  });
  return {
    port: bound.port,
    async [Symbol.asyncDispose]() {
      udp.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => tcp.close(done));
    },
  };
}

/** Messages with their length before them (RFC 1035 section 4.2.2), however the bytes are cut. */
function serveStream(socket: Socket, reply: (message: Buffer) => Uint8Array | null): void {
  let held = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.setTimeout(tcpIdleTimeoutMs, () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      const answer = reply(held.subarray(0, end));
      held = held.subarray(end);
      if (answer === null) {
        socket.destroy();
        return;
      }
      socket.write(answer);
    }
    if (held.length > queryBytesMax) socket.destroy();
  });
}
