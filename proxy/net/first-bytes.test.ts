// The first bytes of real connections: looked at, put back, and each way in which a verdict can stay
// out. What is read afterwards must be what was sent, to the byte.
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { peekFirstBytes } from "./first-bytes.ts";

interface Pair extends AsyncDisposable {
  /** As accepted. */
  readonly near: Socket;
  /** The caller. */
  readonly far: Socket;
}

async function pairOf(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  const near = await accepted;
  for (const socket of [near, far]) socket.on("error", () => {});
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy();
      far.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Peek {
  readonly told: string[];
  readonly over: Promise<void>;
  readonly clock: ManualClock;
}

/** A verdict on the first line; what is read afterwards is up to the test. */
function peekLine(socket: Socket, bytesMax = 64): Peek {
  const told: string[] = [];
  const clock = new ManualClock(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  const tell = (what: string): void => {
    told.push(what);
    resolve();
  };
  peekFirstBytes<string>({
    socket,
    clock,
    deadlineMs: 1000,
    bytesMax,
    classify: (bytes) => {
      const text = bytes.toString("latin1");
      return text.includes("\n") ? text.slice(0, text.indexOf("\n")) : null;
    },
    onVerdict: (verdict) => tell(`verdict ${verdict}`),
    onSilence: (bytes, why) => tell(`${why} ${bytes}`),
    onClosed: () => tell("closed"),
  });
  return { told, over: promise, clock };
}

/** Everything from here to the end of the stream. */
function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    if (socket.readableEnded) resolve(text);
    socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
    socket.on("end", () => resolve(text));
    socket.on("error", (error) => resolve(`${text} ${error.message}`));
    socket.on("close", () => resolve(`${text} closed`));
    socket.resume();
  });
}

test("peekFirstBytes gives its verdict once and puts every byte back", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near);
  for (const part of ["HE", "L", "LO\nre"]) {
    pair.far.write(part);
    await pause(10);
  }
  await peek.over;
  t.deepEqual(peek.told, ["verdict HELLO"]);
  t.is(peek.clock.timerCount, 0, "no timer is left");
  const read = readAll(pair.near);
  pair.far.end("st");
  t.is(await read, "HELLO\nrest");
  peek.clock.advance(5000);
  t.is(peek.told.length, 1);
});

test("peekFirstBytes keeps the bytes for one who reads later", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near);
  pair.far.write("HELLO\n");
  await peek.over;
  pair.near.pause();
  pair.far.end("rest");
  await pause(20);
  t.is(await readAll(pair.near), "HELLO\nrest");
});

test("peekFirstBytes without a verdict at the deadline says how much came, and puts it back", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near);
  pair.far.write("HEL");
  await pause(20);
  peek.clock.advance(999);
  t.deepEqual(peek.told, []);
  peek.clock.advance(1);
  await peek.over;
  t.deepEqual(peek.told, ["deadline 3"]);
  pair.near.pause();
  pair.far.end("LO");
  t.is(await readAll(pair.near), "HELLO");
});

test("peekFirstBytes says that nothing came", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near);
  peek.clock.advance(1000);
  await peek.over;
  t.deepEqual(peek.told, ["deadline 0"]);
  pair.far.end("late");
  t.is(await readAll(pair.near), "late");
});

for (const later of [false, true]) {
  test(`peekFirstBytes puts back what came before the end, read ${later ? "later" : "at once"}`, async (t) => {
    await using pair = await pairOf();
    const peek = peekLine(pair.near);
    pair.far.end("HEL");
    await peek.over;
    t.deepEqual(peek.told, ["ended 3"]);
    if (later) {
      pair.near.pause();
      await pause(20);
    }
    t.is(await readAll(pair.near), "HEL");
    t.false(pair.near.destroyed, "its other direction is still open");
  });
}

test("peekFirstBytes tells the end of a caller that said nothing", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near);
  pair.far.end();
  await peek.over;
  t.deepEqual(peek.told, ["ended 0"]);
  t.is(await readAll(pair.near), "");
});

test("peekFirstBytes gives up at its bound, however the bytes come", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near, 8);
  for (const part of ["12345", "678"]) {
    pair.far.write(part);
    await pause(10);
  }
  await peek.over;
  t.deepEqual(peek.told, ["too_long 8"]);
  pair.far.end("9");
  t.is(await readAll(pair.near), "123456789");
});

test("peekFirstBytes tells a reset, and nothing after it", async (t) => {
  await using pair = await pairOf();
  const peek = peekLine(pair.near);
  pair.far.write("HEL");
  await pause(10);
  pair.far.resetAndDestroy();
  await peek.over;
  t.deepEqual(peek.told, ["closed"]);
  peek.clock.advance(5000);
  t.deepEqual(peek.told, ["closed"]);
});

test("peekFirstBytes reads what came while the process had no CPU before it calls it silence", async (t) => {
  await using pair = await pairOf();
  const deadlineMs = 20;
  const told = new Promise<string>((resolve) => {
    peekFirstBytes<string>({
      socket: pair.near,
      clock: systemClock,
      deadlineMs,
      bytesMax: 64,
      classify: (bytes) => (bytes.length === 5 ? "all" : null),
      onVerdict: resolve,
      onSilence: (bytes, why) => resolve(`${bytes} ${why}`),
      onClosed: () => resolve("closed"),
    });
  });
  pair.far.write("hello");
  // Both the deadline and the bytes wait when the loop turns again.
  const until = performance.now() + 3 * deadlineMs;
  while (performance.now() < until);
  t.is(await told, "all");
});
