import * as fc from "fast-check";
import test from "ava";
import { keyShareGroups } from "./server-hello.ts";

/** A ServerHello in a record, with a session of 32 bytes and these extensions. */
function record(...extensions: readonly (readonly [type: number, content: string])[]): Buffer {
  const list = extensions.map(([type, content]) => {
    const bytes = Buffer.from(content, "hex");
    const header = Buffer.alloc(4);
    header.writeUInt16BE(type, 0);
    header.writeUInt16BE(bytes.length, 2);
    return Buffer.concat([header, bytes]);
  });
  const size = Buffer.alloc(2);
  size.writeUInt16BE(Buffer.concat(list).length);
  const head = [Buffer.from([3, 3]), Buffer.alloc(32, 7), Buffer.from([32]), Buffer.alloc(32, 9)];
  const message = Buffer.concat([...head, Buffer.from([0x13, 1, 0]), size, ...list]);
  const start = Buffer.from([22, 3, 3, 0, 0, 2, 0, 0, 0]);
  start.writeUInt16BE(message.length + 4, 3);
  start.writeUIntBE(message.length, 6, 3);
  return Buffer.concat([start, message]);
}

const hybrid = record([43, "0304"], [51, `11ec0004${"00".repeat(4)}`]);

test("keyShareGroups reads the group wherever the extension stands", (t) => {
  t.deepEqual(keyShareGroups(hybrid), [0x11ec]);
  t.deepEqual(keyShareGroups(record([51, "001d0000"], [43, "0304"])), [0x1d]);
});

test("keyShareGroups reads a HelloRetryRequest and the ServerHello behind it", (t) => {
  const change = Buffer.from([20, 3, 3, 0, 1, 1]);
  t.deepEqual(
    keyShareGroups(Buffer.concat([record([51, "11ec"]), change, hybrid])),
    [0x11ec, 0x11ec],
  );
});

test("keyShareGroups finds nothing in what is no ServerHello", (t) => {
  t.deepEqual(keyShareGroups(record([43, "0304"])), []);
  t.deepEqual(keyShareGroups(Buffer.from("GET / HTTP/1.1\r\n\r\n")), []);
  t.deepEqual(keyShareGroups(Buffer.alloc(0)), []);
});

test("property: keyShareGroups throws for no bytes at all", (t) => {
  const cut = fc.tuple(fc.nat(hybrid.length), fc.array(fc.tuple(fc.nat(), fc.nat(255))));
  fc.assert(
    fc.property(cut, ([length, changes]) => {
      const bytes = Buffer.from(hybrid);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      keyShareGroups(bytes.subarray(0, length));
    }),
  );
  t.pass();
});
