import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { connect as connectTcp, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import grpc from "@grpc/grpc-js";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { RpcError, opaqueAnswers } from "../rpc-error.ts";
import type { RpcErrorCode } from "../rpc-error.ts";
import type { ByteServer, CallServerOptions, ByteStream } from "./options.ts";
import { serveCalls } from "./server.ts";
import { statusOf } from "./status.ts";

const messageBytesMax = 1_000;
const noBytes = Buffer.alloc(0);

test("serveCalls answers a unary call of grpc-js, empty and large", async (t) => {
  await using served = await serve();
  for (const size of [0, 1, messageBytesMax]) {
    t.deepEqual(await served.unary("/t/Echo", Buffer.alloc(size, "x")), Buffer.alloc(size, "x"));
  }
  const answer = await served.unary("/t/Large", noBytes);
  t.is(answer.length, 3_000_000);
});

test("serveCalls answers many calls at once, each with its own", async (t) => {
  await using served = await serve();
  const texts = Array.from({ length: 300 }, (_each, at) => `call ${at}`);
  const answers = await Promise.all(
    texts.map((text) => served.unary("/t/Echo", Buffer.from(text))),
  );
  t.deepEqual(answers.map(String), texts);
});

test("serveCalls carries messages both ways, and the end of each", async (t) => {
  await using served = await serve();
  const call = served.duplex("/t/Talk");
  const heard: string[] = [];
  call.on("data", (bytes: Buffer) => heard.push(String(bytes)));
  for (const text of ["one", "two", "three"]) call.write(Buffer.from(text));
  call.end();
  const [status] = (await once(call, "status")) as [grpc.StatusObject];
  t.is(status.code, 0);
  t.deepEqual(heard, ["one", "two", "three"]);
  t.deepEqual(served.ends, ["Talk"]);
});

const codes: readonly RpcErrorCode[] = [
  "unauthenticated",
  "permission_denied",
  "resource_exhausted",
  "unavailable",
  "internal",
];
for (const code of codes) {
  test(`serveCalls tells a caller ${code} and an opaque sentence`, async (t) => {
    await using served = await serve();
    const error = await refusalOf(served.unary("/t/Fail", Buffer.from(code)));
    t.is(error.code, statusOf(code));
    t.is(error.details, opaqueAnswers[code]);
    const call = served.duplex("/t/Talk");
    call.on("data", () => {});
    call.write(Buffer.from(`fail ${code}`));
    const [ended] = (await once(call, "error")) as [grpc.ServiceError];
    t.is(ended.code, statusOf(code));
    t.deepEqual(served.ends, ["Talk"]);
  });
}

test("serveCalls calls what a handler throws an internal fault, and no more", async (t) => {
  await using served = await serve();
  const error = await refusalOf(served.unary("/t/Throw", noBytes));
  t.is(error.code, grpc.status.INTERNAL);
  t.is(error.details, opaqueAnswers.internal);
});

test("serveCalls aborts a call whose caller gave up", async (t) => {
  await using served = await serve();
  const { call, answer } = served.cancellable("/t/Wait");
  await served.until(() => served.signals.length === 1);
  t.false(served.signals[0]!.aborted);
  call.cancel();
  t.is((await refusalOf(answer)).code, grpc.status.CANCELLED);
  await served.until(() => served.signals[0]!.aborted);
  t.is((served.signals[0]!.reason as RpcError).code, "cancelled");
});

test("serveCalls aborts no call that it has answered", async (t) => {
  await using served = await serve();
  await served.unary("/t/Signal", noBytes);
  served.session.close();
  await once(served.session, "close");
  t.false(served.signals[0]!.aborted);
});

test("serveCalls ends a call when its time is over, whatever the caller does", async (t) => {
  await using served = await serve();
  const timed = { "grpc-timeout": "100m" };
  t.is(await served.raw("/t/Wait", { headers: timed, body: framed("x") }), "4");
  t.true(served.signals[0]!.aborted);
});

interface Raw {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
  /** Default: the body is all. */
  readonly stays?: boolean;
}
const odd: readonly [title: string, path: string, raw: Raw, status: string][] = [
  ["a method that is not there", "/t/None", {}, "12"],
  ["a method's name as a prefix", "/t/Echo/more", {}, "12"],
  ["no request at all", "/t/Echo", {}, "12"],
  ["two requests where one belongs", "/t/Echo", { body: two() }, "12"],
  ["half a message", "/t/Echo", { body: framed("one").subarray(0, 6) }, "13"],
  ["a packed message", "/t/Echo", { body: Buffer.of(1, 0, 0, 0, 0) }, "12"],
  ["a length above the limit", "/t/Echo", { body: Buffer.of(0, 0, 0, 4, 0), stays: true }, "8"],
  ["a timeout that is none", "/t/Echo", { headers: { "grpc-timeout": "soon" } }, "3"],
  ["a time that is over", "/t/Wait", { headers: { "grpc-timeout": "0n" }, body: framed("x") }, "4"],
];
for (const [title, path, raw, status] of odd) {
  test(`serveCalls answers ${title} with status ${status}, on that stream alone`, async (t) => {
    await using served = await serve();
    t.is(await served.raw(path, raw), status);
    t.is(await served.raw("/t/Echo", { body: framed("x") }), "0");
  });
}

const noGrpc: readonly [title: string, headers: OutgoingHttpHeaders, status: number][] = [
  ["another method than POST", { ":method": "GET" }, 405],
  ["no content type", { "content-type": undefined }, 415],
  ["another content type", { "content-type": "application/json" }, 415],
  ["a content type that only begins alike", { "content-type": "application/grpc-web" }, 415],
];
for (const [title, headers, status] of noGrpc) {
  test(`serveCalls answers ${title} with HTTP's ${status}`, async (t) => {
    await using served = await serve();
    const stream = served.request("/t/Echo", headers);
    if (!stream.writableEnded) stream.end(framed("x"));
    const [answer] = (await once(stream, "response")) as [OutgoingHttpHeaders];
    t.is(answer[":status"], status);
    t.is(await served.raw("/t/Echo", { body: framed("x") }), "0");
  });
}

test("serveCalls takes no more calls at once than it says", async (t) => {
  await using served = await serve({ streamsMax: 2 });
  await once(served.session, "remoteSettings");
  t.is(served.session.remoteSettings.maxConcurrentStreams, 2);
});

test("serveCalls sends no answer above its own limit", async (t) => {
  await using served = await serve({ sendBytesMax: 10 });
  t.is(await served.raw("/t/Echo", { body: framed("x".repeat(10)) }), "0");
  t.is(await served.raw("/t/Echo", { body: framed("x".repeat(11)) }), "8");
});

test("serveCalls gives a stream's place back to who never ends his request", async (t) => {
  await using served = await serve({ streamsMax: 1 });
  for (let turn = 0; turn < 3; turn += 1) {
    t.is(await served.raw("/t/None", { body: framed("x"), stays: true }), "12");
  }
});

test("drain lets calls end that are under way, and takes no new ones", async (t) => {
  await using served = await serve();
  const waiting = served.raw("/t/Slow", { body: framed("x") });
  await served.until(() => served.signals.length === 1);
  const goaway = once(served.session, "goaway");
  served.server().drain();
  t.is((await goaway)[0], constants.NGHTTP2_NO_ERROR);
  t.is(await waiting, "0");
  await once(served.session, "close");
});

test("drain cuts calls that do not end within its grace", async (t) => {
  const clock = hurried(10);
  await using served = await serve({ clock });
  const call = served.raw("/t/Wait", { body: framed("x") }).catch(() => "cut");
  await served.until(() => served.signals.length === 1);
  served.server().drain();
  t.is(await call, "cut");
  t.true(served.signals[0]!.aborted);
});

test("serveCalls asks who is silent for a sign of life, and stays with who gives one", async (t) => {
  await using served = await serve({ clock: hurried(10) });
  let asked = 0;
  served.session.on("ping", () => (asked += 1));
  await served.until(() => asked >= 2);
  t.is(await served.raw("/t/Echo", { body: framed("x") }), "0");
});

test("serveCalls lets go of a peer that does not answer", async (t) => {
  await using served = await serve({ clock: hurried(10) });
  const mute = connectTcp(served.port, "127.0.0.1");
  mute.on("error", () => {});
  mute.resume();
  mute.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  await once(mute, "close");
  t.pass();
});

test("serveCalls ends every call of a connection that broke", async (t) => {
  await using served = await serve();
  const call = served.duplex("/t/Talk");
  call.on("error", () => {});
  call.on("data", () => {});
  call.write(Buffer.from("one"));
  await once(call, "data");
  for (const socket of served.sockets) socket.destroy();
  await served.until(() => served.ends.length === 1);
  t.deepEqual(served.ends, ["Talk"]);
});

function framed(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

function two(): Buffer {
  return Buffer.concat([framed("one"), framed("two")]);
}

/** The clock of a hurry: waits are so many times shorter. */
function hurried(times: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * times,
    after: (delayMs, callback) => systemClock.after(delayMs / times, callback),
  };
}

async function refusalOf(answer: Promise<unknown>): Promise<grpc.ServiceError> {
  try {
    await answer;
  } catch (thrown) {
    return thrown as grpc.ServiceError;
  }
  throw new Error("The call was answered");
}

interface Served extends AsyncDisposable {
  readonly port: number;
  readonly signals: readonly AbortSignal[];
  readonly ends: readonly string[];
  readonly sockets: readonly Socket[];
  /** A client of Node's own. */
  readonly session: ClientHttp2Session;
  /** Of the last connection. */
  server(): ByteServer;
  unary(path: string, bytes: Buffer): Promise<Buffer>;
  cancellable(
    path: string,
    bytes?: Buffer,
  ): { call: grpc.ClientUnaryCall; answer: Promise<Buffer> };
  duplex(path: string): grpc.ClientDuplexStream<Buffer, Buffer>;
  request(path: string, headers?: OutgoingHttpHeaders): ClientHttp2Stream;
  /** Resolves with grpc-status. */
  raw(path: string, raw: Raw): Promise<string>;
  until(condition: () => boolean): Promise<void>;
}

const same = (bytes: Buffer): Buffer => bytes;

async function serve(change: Partial<CallServerOptions> = {}): Promise<Served> {
  const signals: AbortSignal[] = [];
  const ends: string[] = [];
  const servers: ByteServer[] = [];
  const sockets: Socket[] = [];
  const talk = (stream: ByteStream) => ({
    onMessage(bytes: Uint8Array) {
      const [word, code] = String(bytes).split(" ");
      if (word === "fail") stream.fail(new RpcError(code as RpcErrorCode, "a secret"));
      else stream.send(bytes);
    },
    onEnd: () => void ends.push("Talk"),
  });
  const options: CallServerOptions = {
    messageBytesMax,
    sendBytesMax: 4_000_000,
    streamsMax: 100,
    clock: systemClock,
    unary: {
      "/t/Echo": async (bytes) => bytes,
      "/t/Large": async () => Buffer.alloc(3_000_000),
      "/t/Fail": async (bytes) => {
        throw new RpcError(String(bytes) as RpcErrorCode, "a secret");
      },
      "/t/Throw": async () => {
        throw new TypeError("a secret");
      },
      "/t/Wait": (_bytes, { signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
      "/t/Slow": async (bytes, { signal }) => {
        signals.push(signal);
        await new Promise((resolve) => setTimeout(resolve, 200));
        return bytes;
      },
      "/t/Signal": async (bytes, { signal }) => {
        signals.push(signal);
        return bytes;
      },
    },
    duplex: { "/t/Talk": talk },
    ...change,
  };
  const listener = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    const server = serveCalls(socket, options);
    servers.push(server);
    socket.on("close", () => server.destroy());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  await once(session, "connect");
  const cancellable: Served["cancellable"] = (path, bytes = noBytes) => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const call = client.makeUnaryRequest(path, same, same, bytes, (error, answer) => {
      if (error === null) resolve(answer ?? noBytes);
      else reject(error);
    });
    return { call, answer: promise };
  };
  const request: Served["request"] = (path, headers = {}) => {
    const head: OutgoingHttpHeaders = {
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    };
    const kept = Object.entries(head).filter(([, value]) => value !== undefined);
    const stream = session.request(Object.fromEntries(kept));
    stream.on("error", () => {});
    stream.resume();
    return stream;
  };
  return {
    port,
    signals,
    ends,
    sockets,
    session,
    server: () => servers.at(-1)!,
    cancellable,
    unary: (path, bytes) => cancellable(path, bytes).answer,
    duplex: (path) => client.makeBidiStreamRequest(path, same, same),
    request,
    raw: (path, { headers = {}, body = noBytes, stays = false }) =>
      new Promise((resolve, reject) => {
        const stream = request(path, headers);
        const take = (answer: OutgoingHttpHeaders): void => {
          const status = answer["grpc-status"];
          if (status !== undefined) resolve(String(status));
        };
        stream
          .on("response", take)
          .on("trailers", take)
          .on("close", () => reject(new Error("cut")));
        if (stays) stream.write(body);
        else stream.end(body);
      }),
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async [Symbol.asyncDispose]() {
      client.close();
      session.destroy();
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}
