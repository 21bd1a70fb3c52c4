import * as fc from "fast-check";
import test from "ava";
import { CaptureError, flows, isTls, readCapture } from "./capture.ts";

interface Packet {
  readonly from: readonly [string, number];
  readonly to: readonly [string, number];
  readonly payload: string;
  readonly sequence?: number;
}

const LINK_BYTES: Readonly<Record<number, number>> = { 1: 14, 113: 16, 276: 20 };

function tcp({ from, to, payload, sequence = 0 }: Packet): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(from[1], 0);
  header.writeUInt16BE(to[1], 2);
  header.writeUInt32BE(sequence, 4);
  header[12] = 5 << 4;
  return Buffer.concat([header, Buffer.from(payload)]);
}

function ipv4(packet: Packet): Buffer {
  const segment = tcp(packet);
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + segment.length, 2);
  header[9] = 6;
  for (const [index, part] of packet.from[0].split(".").entries())
    header[12 + index] = Number(part);
  for (const [index, part] of packet.to[0].split(".").entries()) header[16 + index] = Number(part);
  return Buffer.concat([header, segment]);
}

function frame(link: number, etherType: number, packet: Buffer): Buffer {
  const header = Buffer.alloc(LINK_BYTES[link]!);
  header.writeUInt16BE(etherType, link === 276 ? 0 : header.length - 2);
  // Short frames are padded on the wire; the padding is no payload.
  return Buffer.concat([header, packet, Buffer.alloc(6)]);
}

function capture(link: number, frames: readonly Buffer[], order: "LE" | "BE" = "LE"): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (order === "LE") bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  const header = [number(0xa1b2c3d4), Buffer.alloc(16), number(link)];
  const packets = frames.flatMap((each) => [
    Buffer.alloc(8),
    number(each.length),
    number(each.length),
    each,
  ]);
  return Buffer.concat([...header, ...packets]);
}

const hello: Packet = { from: ["10.77.1.2", 50_000], to: ["10.77.1.3", 8080], payload: "Hello" };

for (const link of [1, 113, 276]) {
  for (const order of ["LE", "BE"] as const) {
    test(`readCapture reads link type ${link}, ${order}`, (t) => {
      const [segment] = readCapture(capture(link, [frame(link, 0x0800, ipv4(hello))], order));
      t.is(segment?.source, "10.77.1.2");
      t.is(segment?.destination, "10.77.1.3");
      t.deepEqual([segment?.sourcePort, segment?.destinationPort], [50_000, 8080]);
      t.is(segment?.payload.toString(), "Hello");
    });
  }
}

test("readCapture reads IPv6", (t) => {
  const segment = tcp(hello);
  const header = Buffer.alloc(40);
  header.writeUInt16BE(segment.length, 4);
  header[6] = 6;
  header.writeUInt16BE(0xfd77, 8);
  header.writeUInt16BE(1, 22);
  header.writeUInt16BE(0xfd77, 24);
  header.writeUInt16BE(2, 38);
  const file = capture(276, [frame(276, 0x86dd, Buffer.concat([header, segment]))]);
  const [read] = readCapture(file);
  t.is(read?.source, "fd77:0:0:0:0:0:0:1");
  t.is(read?.destination, "fd77:0:0:0:0:0:0:2");
  t.is(read?.payload.toString(), "Hello");
});

test("readCapture passes over what is not TCP, and what is cut off at the end", (t) => {
  const udp = ipv4(hello);
  udp[9] = 17;
  const arp = frame(276, 0x0806, Buffer.alloc(28));
  const good = frame(276, 0x0800, ipv4(hello));
  const file = capture(276, [frame(276, 0x0800, udp), arp, good, good]);
  t.is(readCapture(file.subarray(0, file.length - 10)).length, 1);
});

for (const [what, file] of [
  ["nothing", Buffer.alloc(0)],
  ["text", Buffer.from("tcpdump: no suitable device found")],
  ["another link layer", capture(276, []).fill(9, 20, 21)],
  ["a packet that claims to be huge", Buffer.concat([capture(1, []), Buffer.alloc(16, 0xff)])],
] as const) {
  test(`readCapture refuses ${what}`, (t) => {
    t.throws(() => readCapture(file), { instanceOf: CaptureError });
  });
}

test("property: readCapture throws nothing but CaptureError", (t) => {
  const header = capture(276, []);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isHeaded) => {
      try {
        readCapture(isHeaded ? Buffer.concat([header, bytes]) : Buffer.from(bytes));
        return true;
      } catch (error) {
        return error instanceof CaptureError;
      }
    }),
  );
  t.pass();
});

const segmentsOf = (packets: readonly Packet[]) =>
  readCapture(
    capture(
      1,
      packets.map((packet) => frame(1, 0x0800, ipv4(packet))),
    ),
  );

test("flows joins what one direction of a connection said, each byte once", (t) => {
  const from = 2 ** 32 - 3;
  const hello1 = { ...hello, sequence: from };
  const hello2 = { ...hello, payload: " from app-b", sequence: 2 };
  const back = { from: hello.to, to: hello.from, payload: "other", sequence: 9 };
  const overlap = { ...hello, payload: "lo from", sequence: 0 };
  const joined = flows(segmentsOf([hello1, hello1, back, hello2, overlap, hello2]));
  t.deepEqual(
    joined.map(({ bytes }) => bytes.toString()),
    ["Hello from app-b", "other"],
  );
  t.is(joined[1]?.packets.length, 1);
});

test("flows puts packets that overtook one another in order", (t) => {
  const later = { ...hello, payload: "there", sequence: 105 };
  const [flow] = flows(segmentsOf([later, { ...hello, sequence: 100 }]));
  t.is(flow?.bytes.toString(), "Hellothere");
});

for (const [what, bytes, expected] of [
  ["a record", Buffer.from([23, 3, 3, 0, 2, 1, 2]), true],
  ["two records, the second cut off", Buffer.from([22, 3, 1, 0, 1, 9, 23, 3, 3, 1, 0, 5]), true],
  ["words", Buffer.from("GET /hello HTTP/1.1"), false],
  ["a record and words", Buffer.from([23, 3, 3, 0, 1, 9, ...Buffer.from("GET /")]), false],
  ["a record that is too long", Buffer.from([23, 3, 3, 0xff, 0xff, 0]), false],
  ["another version", Buffer.from([23, 4, 3, 0, 1, 0]), false],
  ["nothing", Buffer.alloc(0), false],
] as const) {
  test(`isTls is ${expected} for ${what}`, (t) => t.is(isTls(bytes), expected));
}
