import { createSocket } from "node:dgram";
import { connect } from "node:net";
import test from "ava";
import { decode, encode, streamDecode, streamEncode } from "dns-packet";
import type { DecodedPacket, Packet } from "dns-packet";
import * as fc from "fast-check";
import { silentLog } from "#/lib/log.ts";
import { answerQuery, encodeForUdp, serveDns } from "./dns.ts";

const names: Readonly<Record<string, readonly string[]>> = {
  "app-b.app-b.svc.cluster.local": ["10.78.0.1"],
  "headless.app-b.svc.cluster.local": ["10.77.1.2", "10.77.1.3"],
  "empty.app-b.svc.cluster.local": [],
  "many.app-b.svc.cluster.local": Array.from({ length: 60 }, (_, index) => `10.77.1.${index}`),
};
const resolve = (name: string): readonly string[] | null =>
  Object.hasOwn(names, name) ? (names[name] ?? null) : null;

function query(name: string, type: "A" | "AAAA" | "TXT" = "A", more: Partial<Packet> = {}): Packet {
  return { type: "query", id: 7, flags: 0x0100, questions: [{ type, name }], ...more };
}

function told(packet: Packet): { rcode: string; addresses: unknown[]; flags: number } {
  const reply = decode(Buffer.from(encode(answerQuery(packet, resolve)!)));
  const addresses = (reply.answers ?? []).map((answer) => ("data" in answer ? answer.data : null));
  const { rcode } = reply as DecodedPacket & { rcode: string };
  return { rcode, addresses, flags: reply.flags ?? 0 };
}

test("answerQuery tells a Service's address", (t) => {
  const { rcode, addresses } = told(query("app-b.app-b.svc.cluster.local"));
  t.is(rcode, "NOERROR");
  t.deepEqual(addresses, ["10.78.0.1"]);
});

test("answerQuery tells all pods of a headless Service", (t) => {
  t.deepEqual(told(query("headless.app-b.svc.cluster.local")).addresses, [
    "10.77.1.2",
    "10.77.1.3",
  ]);
});

test("answerQuery keeps the name as it was asked, whatever its case and final dot", (t) => {
  const name = "App-B.app-b.SVC.cluster.local";
  const reply = answerQuery(query(name), resolve)!;
  t.is(reply.questions?.[0]?.name, name);
  t.is(reply.answers?.[0]?.name, name);
  t.is(reply.id, 7);
});

const silent: readonly (readonly [string, Packet, string])[] = [
  ["a name that there is not", query("nobody.app-b.svc.cluster.local"), "NXDOMAIN"],
  ["a name of the world: nothing is asked of others", query("example.com"), "NXDOMAIN"],
  ["a name of every object", query("constructor"), "NXDOMAIN"],
  ["the root", query("."), "NXDOMAIN"],
  ["an address of the other family", query("app-b.app-b.svc.cluster.local", "AAAA"), "NOERROR"],
  ["another type", query("app-b.app-b.svc.cluster.local", "TXT"), "NOERROR"],
  ["a headless Service without a ready pod", query("empty.app-b.svc.cluster.local"), "NOERROR"],
];
for (const [what, packet, rcode] of silent) {
  test(`answerQuery has no address for ${what}`, (t) => {
    t.deepEqual(told(packet).addresses, []);
    t.is(told(packet).rcode, rcode);
  });
}

test("answerQuery does not do what is no plain query", (t) => {
  const chaos = query("app-b.app-b.svc.cluster.local");
  chaos.questions![0] = { ...chaos.questions![0]!, class: "CH" };
  t.is(told(chaos).rcode, "NOTIMP");
  const update = decode(
    Buffer.from(encode(query("app-b.app-b.svc.cluster.local", "A", { flags: 5 << 11 }))),
  );
  t.is(told(update).rcode, "NOTIMP");
});

test("answerQuery never answers an answer, nor a packet without a question", (t) => {
  t.is(answerQuery({ ...query("x"), type: "response" }, resolve), null);
  t.is(answerQuery({ type: "query", id: 1, questions: [] }, resolve), null);
});

test("encodeForUdp marks what does not fit and sends none of it", (t) => {
  const reply = answerQuery(query("many.app-b.svc.cluster.local"), resolve)!;
  t.is(reply.answers?.length, 60);
  const bytes = encodeForUdp(reply);
  t.true(bytes.length <= 512);
  const read = decode(Buffer.from(bytes)) as DecodedPacket & { flag_tc: boolean };
  t.true(read.flag_tc);
  t.is(read.answers?.length, 0);
});

function ask(port: number, bytes: Uint8Array, patienceMs: number): Promise<Buffer | null> {
  return new Promise((done) => {
    const socket = createSocket("udp4");
    const end = (answer: Buffer | null): void => {
      clearTimeout(timer);
      socket.close();
      done(answer);
    };
    const timer = setTimeout(() => end(null), patienceMs);
    socket.once("message", end);
    socket.send(bytes, port, "127.0.0.1");
  });
}

test("serveDns answers over UDP, keeps silent on noise, and goes on", async (t) => {
  await using server = await serveDns("127.0.0.1", resolve, silentLog, 0);
  t.is(await ask(server.port, Buffer.from("noise"), 100), null);
  t.is(await ask(server.port, Buffer.alloc(0), 100), null);
  const answer = await ask(server.port, encode(query("app-b.app-b.svc.cluster.local")), 5_000);
  t.is(decode(answer!).answers?.length, 1);
});

test("serveDns answers over TCP, however the bytes are cut, several on one connection", async (t) => {
  await using server = await serveDns("127.0.0.1", resolve, silentLog, 0);
  const bytes = Buffer.concat([
    streamEncode(query("many.app-b.svc.cluster.local")),
    streamEncode(query("app-b.app-b.svc.cluster.local")),
  ]);
  const socket = connect(server.port, "127.0.0.1");
  let held = Buffer.alloc(0);
  const both = new Promise<number[]>((done, failed) => {
    socket.on("error", failed);
    socket.on("data", (part: Buffer) => {
      held = Buffer.concat([held, part]);
      const first = held.length < 2 ? Number.POSITIVE_INFINITY : 2 + held.readUInt16BE(0);
      if (held.length < first + 2 || held.length < first + 2 + held.readUInt16BE(first)) return;
      const counts = [held.subarray(0, first), held.subarray(first)].map(
        (each) => streamDecode(each).answers?.length ?? 0,
      );
      done(counts);
    });
  });
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((next) => setImmediate(next));
  }
  t.deepEqual(await both, [60, 1]);
  socket.destroy();
});

for (const [what, bytes] of [
  ["noise", Buffer.from([0, 5, 1, 2, 3, 4, 5])],
  ["more than a query has", Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(5000)])],
] as const) {
  test(`serveDns closes a TCP connection that sends ${what}`, async (t) => {
    await using server = await serveDns("127.0.0.1", resolve, silentLog, 0);
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(bytes);
    await new Promise((closed) => socket.once("close", closed).resume());
    t.pass();
  });
}

test("answerQuery property: whatever decodes is answered or not, and nothing is thrown", (t) => {
  const numRuns = Number(process.env["FUZZ_RUNS"] ?? 500);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      let packet: Packet;
      try {
        packet = decode(Buffer.from(bytes));
      } catch {
        return;
      }
      answerQuery(packet, resolve);
    }),
    { numRuns },
  );
  t.pass();
});
