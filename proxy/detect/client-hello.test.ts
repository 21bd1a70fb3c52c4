import { connect } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { Duplex } from "node:stream";
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { CLIENT_HELLO_BYTES_MAX, readClientHello } from "./client-hello.ts";

/** The first flight of Node's own TLS client. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    const client = connect({ socket: wire, ...options });
    client.on("error", () => {});
  });
}

function extension(type: number, content: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(content.length, 2);
  return Buffer.concat([header, content]);
}

function vector(width: 1 | 2 | 3, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length = Buffer.alloc(width);
  length.writeUIntBE(content.length, 0, width);
  return Buffer.concat([length, content]);
}

interface HelloParts {
  readonly version?: readonly number[];
  readonly session?: number;
  readonly suites?: Buffer;
  readonly compressions?: Buffer;
  readonly extensions?: readonly Buffer[] | null;
  readonly trailing?: Buffer;
}

/** The body of a ClientHello message. */
function bodyOf(parts: HelloParts): Buffer {
  const extensions = parts.extensions ?? [];
  return Buffer.concat([
    Buffer.from(parts.version ?? [3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(parts.session ?? 32)),
    vector(2, parts.suites ?? Buffer.from([0x13, 0x01])),
    vector(1, parts.compressions ?? Buffer.from([0])),
    parts.extensions === null ? Buffer.alloc(0) : vector(2, ...extensions),
    parts.trailing ?? Buffer.alloc(0),
  ]);
}

/** The message in records that carry at most `fragment` bytes each. */
function records(message: Buffer, fragment = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += fragment) {
    const piece = message.subarray(at, at + fragment);
    parts.push(Buffer.from([22, 3, 1]), vector(2, piece));
  }
  return Buffer.concat(parts);
}

function hello(parts: HelloParts = {}, fragment?: number): Buffer {
  return records(Buffer.concat([Buffer.from([1]), vector(3, bodyOf(parts))]), fragment);
}

const name = (text: string): Buffer => Buffer.from(text, "latin1");
const alpn = (...protocols: readonly string[]): Buffer =>
  extension(16, vector(2, ...protocols.map((protocol) => vector(1, name(protocol)))));
const serverName = (text: string): Buffer =>
  extension(0, vector(2, Buffer.from([0]), vector(2, name(text))));

const groups = (...codes: readonly number[]): Buffer =>
  extension(10, vector(2, Buffer.from(codes.flatMap((code) => [code >> 8, code & 0xff]))));

/** The first verdict that is not "more" when the bytes come one by one. */
function dripped(bytes: Buffer): unknown {
  for (let end = 0; end < bytes.length; end += 1) {
    const verdict = readClientHello(bytes.subarray(0, end));
    if (verdict.kind !== "more") return verdict;
  }
  return readClientHello(bytes);
}

test("client hello of a real client is read, and needs all of its bytes", async (t) => {
  const ALPNProtocols = ["signet-http/1.1", "signet-tcp"];
  const bytes = await helloOf({ ALPNProtocols, servername: "App-B.app-b.svc" });
  const expected = { kind: "client_hello", alpn: ALPNProtocols, serverName: "app-b.app-b.svc" };
  const offered = [0x11ec, 0x1d, 0x17, 0x1e, 0x18, 0x19, 0x100, 0x101];
  t.deepEqual(readClientHello(bytes) as unknown, { ...expected, groups: offered });
  t.like(readClientHello(Buffer.concat([bytes, name("early")])), { serverName: "app-b.app-b.svc" });
  for (let end = 0; end < bytes.length; end += 1) {
    t.is(readClientHello(bytes.subarray(0, end)).kind, "more");
  }
});

test("client hello of a real client without extensions of ours is read", async (t) => {
  const bytes = await helloOf({ maxVersion: "TLSv1.2" });
  t.deepEqual(readClientHello(bytes) as unknown, {
    kind: "client_hello",
    alpn: [],
    serverName: null,
    groups: [0x1d, 0x17, 0x1e, 0x18, 0x19],
  });
});

test("client hello without any extension is read", (t) => {
  const plain = { kind: "client_hello", alpn: [], serverName: null, groups: [] };
  t.deepEqual(readClientHello(hello({ extensions: null })) as unknown, plain);
  t.deepEqual(readClientHello(hello()) as unknown, plain);
});

test("client hello in many records is put together", (t) => {
  const parts = { extensions: [alpn("h2", "http/1.1"), serverName("b"), groups(0x1d, 0x11ec)] };
  const read = { alpn: ["h2", "http/1.1"], serverName: "b", groups: [0x1d, 0x11ec] };
  const expected = { kind: "client_hello", ...read };
  for (const fragment of [1, 2, 3, 4, 5, 17, 40]) {
    const bytes = hello(parts, fragment);
    t.deepEqual(readClientHello(bytes) as unknown, expected);
    t.deepEqual(dripped(bytes), expected);
  }
});

const notTls: Readonly<Record<string, Buffer>> = {
  "an HTTP request": name("GET / HTTP/1.1\r\n\r\n"),
  "an alert": Buffer.from([21, 3, 1, 0, 2, 1, 0]),
  "application data": Buffer.from([23, 3, 3, 0, 1, 0]),
  "another major version": Buffer.from([22, 2, 1, 0, 1, 1]),
  "a minor version to come": Buffer.from([22, 3, 5, 0, 1, 1]),
  "an empty record": Buffer.from([22, 3, 1, 0, 0]),
  "a record too long": Buffer.from([22, 3, 1, 0x40, 1]),
  "a server hello": Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0]),
  "an SSL 2 hello": Buffer.from([0x80, 0x2e, 1, 3, 1]),
};

for (const [what, bytes] of Object.entries(notTls)) {
  test(`client hello is not ${what}`, (t) => {
    t.is(readClientHello(bytes).kind, "not_tls");
    t.deepEqual(dripped(bytes), { kind: "not_tls" });
  });
}

const huge = Buffer.alloc(CLIENT_HELLO_BYTES_MAX);
const malformed: Readonly<Record<string, Buffer>> = {
  "a message too short": records(Buffer.from([1, 0, 0, 4, 3, 3, 0, 0])),
  "a message too long": records(Buffer.from([1, 0xff, 0xff, 0xff])),
  "bytes after it in the record": records(
    Buffer.concat([Buffer.from([1]), vector(3, bodyOf({})), Buffer.from([0])]),
  ),
  "bytes after the extensions": hello({ trailing: Buffer.from([0]) }),
  "another version": hello({ version: [2, 0] }),
  "a session of 33 bytes": hello({ session: 33 }),
  "no cipher suite": hello({ suites: Buffer.alloc(0) }),
  "half a cipher suite": hello({ suites: Buffer.alloc(3) }),
  "no null compression": hello({ compressions: Buffer.from([1]) }),
  "no compression at all": hello({ compressions: Buffer.alloc(0), extensions: [alpn("h2")] }),
  "two ALPN extensions": hello({ extensions: [alpn("h2"), alpn("h2")] }),
  "an empty ALPN list": hello({ extensions: [alpn()] }),
  "an empty ALPN name": hello({ extensions: [alpn("h2", "")] }),
  "33 ALPN names": hello({ extensions: [alpn(...Array.from({ length: 33 }, () => "a"))] }),
  "an ALPN length too large": hello({ extensions: [extension(16, Buffer.from([0, 9, 1, 97]))] }),
  "bytes after the ALPN list": hello({
    extensions: [extension(16, Buffer.from([0, 2, 1, 97, 0]))],
  }),
  "an empty list of groups": hello({ extensions: [groups()] }),
  "half a group": hello({ extensions: [extension(10, Buffer.from([0, 3, 0, 29, 0]))] }),
  "bytes after the groups": hello({ extensions: [extension(10, Buffer.from([0, 2, 0, 29, 0]))] }),
  "an empty server name": hello({ extensions: [serverName("")] }),
  "a server name of 256 bytes": hello({ extensions: [serverName("a".repeat(256))] }),
  "NUL in the server name": hello({ extensions: [serverName("a\0b")] }),
  "a blank in the server name": hello({ extensions: [serverName("a b")] }),
  "non-ASCII in the server name": hello({ extensions: [serverName("é")] }),
  "two server names": hello({
    extensions: [extension(0, vector(2, Buffer.from([0, 0, 1, 97]), Buffer.from([0, 0, 1, 98])))],
  }),
  "a name of another type": hello({ extensions: [extension(0, Buffer.from([0, 4, 1, 0, 1, 97]))] }),
  "half an extension": hello({ extensions: [Buffer.from([0, 16, 0])] }),
  "an extension longer than its list": hello({ extensions: [Buffer.from([0, 99, 0, 9, 1])] }),
  "an alert in its midst": Buffer.concat([
    records(Buffer.from([1, 0, 1])),
    Buffer.from([21, 3, 1, 0, 2, 1, 0]),
  ]),
  "an empty record in its midst": Buffer.concat([
    records(Buffer.from([1, 0, 1])),
    Buffer.from([22, 3, 1, 0, 0]),
  ]),
  "16 KiB of it": hello({ extensions: [extension(99, huge.subarray(0, 16_300))] }),
  "too many records": hello({ extensions: [extension(99, huge.subarray(0, 4000))] }, 1),
};

for (const [what, bytes] of Object.entries(malformed)) {
  test(`client hello is malformed with ${what}`, (t) => {
    t.is(readClientHello(bytes).kind, "malformed");
    t.deepEqual(dripped(bytes), { kind: "malformed" });
  });
}

test("attack-50 client hello never asks for more than its limit", (t) => {
  for (const fragment of [1, 7, 1000]) {
    const endless = hello({ extensions: [extension(99, Buffer.alloc(16_000))] }, fragment);
    const bytes = endless.subarray(0, CLIENT_HELLO_BYTES_MAX + 5);
    t.not(readClientHello(bytes).kind, "more");
  }
});

test("client hello property: any cut gives the same verdict, and nothing is thrown", (t) => {
  const made = fc
    .tuple(
      fc.array(fc.constantFrom("h2", "signet-tcp", "a"), { maxLength: 3 }),
      fc.constantFrom("b", "B.c", "", "a\0"),
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    )
    .map(([protocols, host, fragment, changes]) => {
      const bytes = hello({ extensions: [alpn(...protocols), serverName(host)] }, fragment);
      for (const [position, value] of changes) bytes[position % bytes.length] = value;
      return bytes;
    });
  fc.assert(
    fc.property(made, (bytes) => {
      t.deepEqual(dripped(bytes), readClientHello(bytes));
    }),
    fuzzOptions(t, 1000),
  );
  t.pass();
});
