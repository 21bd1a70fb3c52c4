// Bytes both ways between a caller and an application, as the mesh carries them: caller - TCP - splice -
// TCP or TLS - splice - TCP - application. Half-close, backpressure, idleness, resets and cuts must come
// through both as one connection would have it.
import { createHash, randomBytes, randomInt } from "node:crypto";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import type { ExecutionContext } from "ava";
import { createAuthority } from "#/test/kit/authority.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { Watch } from "#/lib/watch.ts";
import { TlsAcceptor } from "../tls/accept.ts";
import { hybridGroupCode } from "../tls/key-exchange.ts";
import { alpnTcp, makeCredentials } from "../tls/credentials.ts";
import type { Credentials } from "../tls/credentials.ts";
import { originate } from "../tls/originate.ts";
import { Deadlines } from "./deadline.ts";
import { Splice } from "./splice.ts";
import type { SpliceEnd } from "./splice.ts";

const id = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
const idleTimeoutMs = 60_000;

interface Rig extends AsyncDisposable {
  readonly caller: Socket;
  readonly app: Socket;
  /** Of the caller's side and of the application's side. */
  readonly splices: Splice[];
  readonly ends: SpliceEnd[];
  readonly clock: ManualClock;
}

function listenOn(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

function dialled(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => resolve(socket));
  });
}

async function makeOwnCredentials(): Promise<Credentials> {
  const authority = await createAuthority();
  const trustDomain = parseTrustDomain("cluster.local");
  return makeCredentials(await authority.issue(id), { trustDomain, roots: [authority.root] });
}

async function rig(link: "TCP" | "TLS"): Promise<Rig> {
  const credentials = link === "TLS" ? await makeOwnCredentials() : null;
  const clock = new ManualClock(0);
  const deadlines = new Deadlines(clock);
  const sockets = new Set<Socket>();
  const splices: Splice[] = [];
  const ends: SpliceEnd[] = [];
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => {});
  };
  const join = (downstream: Socket, upstream: Socket): void => {
    for (const socket of [downstream, upstream]) keep(socket);
    const onEnd = (end: SpliceEnd): void => void ends.push(end);
    splices.push(
      new Splice(downstream, upstream, { deadlines, idleTimeoutMs, screen: null, onEnd }),
    );
  };
  const servers: Server[] = [];
  const serve = (onSocket: (socket: Socket) => void): Promise<number> => {
    const server = createServer({ allowHalfOpen: true }, (socket) => onSocket(keep(socket)));
    servers.push(server);
    return listenOn(server);
  };
  const appSocket = Promise.withResolvers<Socket>();
  const appPort = await serve((socket) => appSocket.resolve(socket));
  const acceptor = new TlsAcceptor(new Watch<Credentials | null>(credentials), systemClock);
  const farPort = await serve((socket) => {
    const toApp = (accepted: Socket): void => {
      accepted.pause();
      void dialled(appPort).then((upstream) => join(accepted, upstream));
    };
    if (link === "TCP") toApp(socket);
    else {
      acceptor.accept(
        socket,
        [hybridGroupCode],
        (accepted) => toApp(accepted.socket),
        () => {},
      );
    }
  });
  const nearPort = await serve((socket) => {
    socket.pause();
    if (credentials === null) void dialled(farPort).then((upstream) => join(socket, upstream));
    else {
      const target = { address: "127.0.0.1", port: farPort, credentials, expected: id };
      originate(
        {
          ...target,
          protocols: [alpnTcp],
          requiresPostQuantum: false,
          timeoutMs: 3000,
          clock: systemClock,
        },
        (upstream) => join(socket, upstream),
        () => socket.destroy(),
      );
    }
  });
  const caller = keep(await dialled(nearPort));
  const app = await appSocket.promise;
  while (splices.length < 2) await pause(2);
  return {
    caller,
    app,
    splices,
    ends,
    clock,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** Everything to the end, or to the reset. */
function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
    socket.on("end", () => resolve(text));
    socket.on("close", () => resolve(`${text}, then closed`));
  });
}

function closed(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve(true);
    socket.on("close", () => resolve(true));
    socket.resume();
  });
}

const randomChunks = 64;

/** 16 MiB in pieces of all sizes, then the end; its hash. */
function sendRandom(socket: Socket): string {
  const hash = createHash("sha256");
  for (let chunk = 0; chunk < randomChunks; chunk += 1) {
    const bytes = randomBytes(randomInt(1, 512 * 1024));
    hash.update(bytes);
    socket.write(bytes);
  }
  socket.end();
  return hash.digest("hex");
}

/** Of everything that is read, with a rest now and then. */
function hashed(socket: Socket): Promise<string> {
  const hash = createHash("sha256");
  return new Promise((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      hash.update(bytes);
      if (randomInt(20) > 0) return;
      socket.pause();
      setTimeout(() => socket.resume(), randomInt(5));
    });
    socket.on("end", () => resolve(hash.digest("hex")));
    socket.on("close", () => resolve("closed"));
  });
}

async function until(t: ExecutionContext, holds: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 400 && !holds(); turn += 1) await pause(5);
  t.true(holds(), what);
}

for (const link of ["TCP", "TLS"] as const) {
  test(`splice over ${link} lets the application answer after the caller's half-close`, async (t) => {
    await using all = await rig(link);
    const request = readAll(all.app);
    const response = readAll(all.caller);
    all.caller.end("question");
    t.is(await request, "question");
    await pause(30);
    all.app.write("ans");
    await pause(10);
    all.app.end("wer");
    t.is(await response, "answer");
    await until(t, () => all.ends.length === 2, "both splices are over");
    for (const end of all.ends) {
      t.deepEqual(end, { bytesFromDownstream: 8, bytesToDownstream: 6, reason: "closed" });
    }
  });

  test(`splice over ${link} lets the caller go on after the application's half-close`, async (t) => {
    await using all = await rig(link);
    const request = readAll(all.app);
    const response = readAll(all.caller);
    all.app.end("greeting");
    t.is(await response, "greeting");
    await pause(30);
    all.caller.write("late ");
    await pause(10);
    all.caller.end("words");
    t.is(await request, "late words");
    await until(t, () => all.ends.length === 2, "both splices are over");
    t.deepEqual(
      all.ends.map(({ reason }) => reason),
      ["closed", "closed"],
    );
  });

  test(`splice over ${link} holds a fast sender back while the reader is slow, and loses nothing`, async (t) => {
    await using all = await rig(link);
    const size = 48 * 1024 * 1024;
    const chunk = Buffer.alloc(1024 * 1024, "x");
    all.app.pause();
    for (let sent = 0; sent < size; sent += chunk.length) all.caller.write(chunk);
    let before = -1;
    while (before !== all.caller.bytesWritten - all.caller.writableLength) {
      before = all.caller.bytesWritten - all.caller.writableLength;
      await pause(150);
    }
    t.true(all.caller.writableLength > size / 2, "most of it is still with the sender");
    let received = 0;
    const finished = new Promise((resolve) => all.app.on("end", resolve));
    all.app.on("data", (bytes: Buffer) => (received += bytes.length));
    all.caller.end();
    all.app.resume();
    await finished;
    t.is(received, size);
  });

  test(`splice over ${link} keeps every byte both ways, with readers that stop and go`, async (t) => {
    await using all = await rig(link);
    const up = hashed(all.app);
    const down = hashed(all.caller);
    const sent = [sendRandom(all.caller), sendRandom(all.app)] as const;
    t.is(await up, sent[0]);
    t.is(await down, sent[1]);
  });

  test(`splice over ${link} passes a reset on, and says whose it was`, async (t) => {
    await using all = await rig(link);
    all.caller.resetAndDestroy();
    t.true(await closed(all.app));
    await until(t, () => all.ends.length === 2, "both splices are over");
    t.is(all.ends[0]?.reason, "downstream_reset");
  });

  test(`splice over ${link} ends both sides when it is cut, once`, async (t) => {
    await using all = await rig(link);
    all.splices[0]!.cut();
    all.splices[0]!.cut();
    t.true(await closed(all.caller));
    t.true(await closed(all.app));
    await until(t, () => all.ends.length === 2, "both splices are over");
    t.is(all.ends.filter(({ reason }) => reason === "cut").length, 1);
  });
}

test("splice ends what is silent both ways for too long, and no sooner", async (t) => {
  await using all = await rig("TCP");
  const heard = readAll(all.app);
  all.clock.advance(idleTimeoutMs - 1000);
  all.caller.write("still here");
  await until(t, () => all.app.bytesRead > 0, "the bytes are through");
  all.clock.advance(idleTimeoutMs - 1000);
  t.deepEqual(all.ends, []);
  all.clock.advance(1500);
  t.deepEqual(
    all.ends.map(({ reason }) => reason),
    ["idle", "idle"],
  );
  t.is(await heard, "still here, then closed");
});
