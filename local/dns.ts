// Cluster DNS on the node's address, UDP and TCP: services by name (a headless one by its pods'
// addresses), NXDOMAIN for everything else, no recursion. The only file that imports dns-packet.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { decode, encode, streamDecode, streamEncode } from "dns-packet";
import type { Packet } from "dns-packet";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";

/** Addresses of a full lower-case name without trailing dot; null: there is no such name. */
export type Resolve = (name: string) => readonly string[] | null;

const ttlSeconds = 5;
const authoritative = 0x0400;
const nameError = 3;
const queryBytesMax = 4096;
const tcpIdleTimeoutMs = 5_000;
const tcpConnectionsMax = 64;

/** The reply to a query; null for what is no query. Pure but for `resolve`. */
export function answerQuery(query: Packet, resolve: Resolve): Packet | null {
  const question = query.questions?.[0];
  if (query.type !== "query" || question === undefined) return null;
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
  return {
    type: "response",
    ...(query.id === undefined ? {} : { id: query.id }),
    flags: authoritative | (addresses === null ? nameError : 0),
    questions: [question],
    answers,
  };
}

export async function serveDns(
  address: string,
  resolve: Resolve,
  log: Log,
): Promise<AsyncDisposable> {
  const reply = (bytes: Buffer, via: "udp" | "tcp"): Uint8Array | null => {
    try {
      const packet = answerQuery(via === "udp" ? decode(bytes) : streamDecode(bytes), resolve);
      if (packet === null) return null;
      return via === "udp" ? encode(packet) : streamEncode(packet);
    } catch (error) {
      log.debug("dns query unreadable", { reason: messageOf(error) });
      return null;
    }
  };
  const udp = createSocket("udp4");
  udp.on("error", (error) => log.warn("dns socket failed", { reason: error.message }));
  udp.on("message", (bytes, peer) => {
    const answer = reply(bytes, "udp");
    if (answer !== null) udp.send(answer, peer.port, peer.address);
  });
  const tcp = createServer((socket) => {
    let held = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.setTimeout(tcpIdleTimeoutMs, () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      if (held.length > queryBytesMax) socket.destroy();
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        const answer = reply(held.subarray(0, end), "tcp");
        held = held.subarray(end);
        if (answer === null) socket.destroy();
        else socket.write(answer);
      }
    });
  });
  tcp.maxConnections = tcpConnectionsMax;
  await new Promise<void>((done, failed) => {
    udp.once("error", failed);
    udp.bind(53, address, done);
  });
  await new Promise<void>((done, failed) => {
    tcp.once("error", failed);
    tcp.listen(53, address, done);
  });
  return {
    async [Symbol.asyncDispose]() {
      udp.close();
      await new Promise((done) => tcp.close(done));
    },
  };
}
