// The hostile part of a work, as a program in the client's namespace: node hostile.ts PLAN. Says "ready" when it
// is under way, and what came of it when its time is over.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { median } from "../statistics.ts";
import { materialOf } from "./member.ts";
import { readyLine } from "./plan.ts";
import type { VolumePlan, VolumeResult } from "./plan.ts";

/** Opened so many at a time: a full queue of the listener would be the kernel's limit, not the proxy's. */
const bunch = 100;
const headLineMs = 1000;
const connectMs = 10_000;
/** Of handshakes: compilers need it. */
const warmUpS = 3;

const plan = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as VolumePlan;
const ready = (): void => void process.stdout.write(`${readyLine}\n`);
const hold = (): Promise<void> => new Promise((done) => setTimeout(done, plan.holdS * 1000));

/** Heads that never end, a line a second: how long are they borne with? */
async function slowloris(): Promise<VolumeResult> {
  const began = performance.now();
  const cutAfterMs: number[] = [];
  const sockets = await openAll((socket) => {
    const openedAt = performance.now();
    socket.write(`GET /hello HTTP/1.1\r\nHost: ${plan.host}\r\n`);
    const dripping = setInterval(() => socket.write("X-Slow: 1\r\n"), headLineMs);
    socket.resume();
    socket.once("close", () => {
      clearInterval(dripping);
      cutAfterMs.push(performance.now() - openedAt);
    });
  });
  ready();
  await hold();
  return {
    ...totals(sockets.length, began),
    cut: cutAfterMs.length,
    cutMs: cutAfterMs.length === 0 ? null : median(cutAfterMs),
  };
}

/** Connections that have had one answer and want nothing more. */
async function idle(): Promise<VolumeResult> {
  const began = performance.now();
  const request = `GET /hello HTTP/1.1\r\nHost: ${plan.host}\r\n\r\n`;
  let cut = 0;
  const sockets = await openAll(async (socket) => {
    socket.write(request);
    socket.once("close", () => (cut += 1));
    await new Promise((resolve) => socket.once("data", resolve));
  });
  ready();
  await hold();
  return { ...totals(sockets.length, began), cut };
}

/** Full mutual handshakes, one connection each, closed at once. */
async function handshakes(): Promise<VolumeResult> {
  const { member } = plan;
  if (member === null) throw new Error("A member is needed");
  const material = await materialOf(member);
  let began = performance.now();
  const until = began + (warmUpS + plan.holdS) * 1000;
  let done = 0;
  let failed = 0;
  setTimeout(() => {
    [began, done, failed] = [performance.now(), 0, 0];
    ready();
  }, warmUpS * 1000);
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      if (await shakeHands(material, member.alpn)) done += 1;
      else failed += 1;
    }
  };
  await Promise.all(Array.from({ length: plan.connections }, lane));
  return { ...totals(done, began), failed };
}

function shakeHands(
  material: { readonly cert: string; readonly key: string },
  alpn: readonly string[],
): Promise<boolean> {
  return new Promise((resolve) => {
    let shaken = false;
    const socket = connectTls({
      host: plan.address,
      port: plan.port,
      ...material,
      ALPNProtocols: [...alpn],
      minVersion: "TLSv1.3",
      // Whose certificate it is was proven before; here the other end's work is counted.
      rejectUnauthorized: false,
    });
    socket.once("secureConnect", () => {
      shaken = true;
      socket.end();
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(shaken));
    socket.resume();
  });
}

async function openAll(use: (socket: Socket) => void | Promise<void>): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < plan.connections) {
    const count = Math.min(bunch, plan.connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: count }, () => open(use)))));
  }
  return sockets;
}

function open(use: (socket: Socket) => void | Promise<void>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: plan.address, port: plan.port, timeout: connectMs });
    socket.once("connect", () => {
      socket.setTimeout(0);
      Promise.resolve(use(socket)).then(() => resolve(socket), reject);
    });
    socket.once("timeout", () => reject(new Error(`Not connected within ${connectMs} ms`)));
    socket.on("error", reject);
  });
}

function totals(done: number, began: number): VolumeResult {
  return { done, failed: 0, cut: 0, cutMs: null, seconds: (performance.now() - began) / 1000 };
}

const hostile = { slowloris, "idle-10000": idle, handshakes } as const;
const result = await hostile[plan.work]();
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
