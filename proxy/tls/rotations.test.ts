// A thousand certificates, each renewed while requests are on their way over the connections that the one
// before it opened: both ends of many pairs, real TLS, lives of some seconds. No request may fail, none may
// be repeated to hide it, and no connection may outlive its certificates.
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import type { LeafOptions } from "#/test/kit/authority.ts";
import { MeshPair, answering, ask, endpointOf } from "#/test/kit/mesh-pair.ts";
import type { InboundHalf } from "#/test/kit/mesh-pair.ts";
import type { Upstreams } from "../outbound/dispatcher.ts";

const rotationsMin = 1_000;
const servers = 49;
const clientsPerServer = 2;
const lifeS = 10;
/** Far less than a third of a life: more rotations, and connections of many ages at once. */
const rotateMs = 1_000;
const requestEveryMs = 200;
/** Nothing repeats a POST that has been sent: a failure cannot be hidden. */
const post = "POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 2\r\n\r\nhi";

const shortLife = (): LeafOptions => ({ notAfter: Date.now() + lifeS * 1000 });

interface Load {
  answered: number;
  readonly failed: string[];
}

async function call(pair: MeshPair, port: number, load: Load, signal: AbortSignal): Promise<void> {
  const socket = pair.connect(port);
  while (!signal.aborted) {
    const answer = await ask(socket, post);
    if (/^HTTP\/1\.1 200 [^]*\r\n\r\nok$/.test(answer)) load.answered += 1;
    else load.failed.push(answer.slice(0, 40));
    await pause(requestEveryMs);
  }
}

/** Until all of them together were given so many certificates. */
async function rotateAll(pair: MeshPair, halves: readonly InboundHalf[]): Promise<number> {
  const ends = [...halves, pair];
  let rotations = 0;
  const rotateOne = async (end: (typeof ends)[number], index: number): Promise<void> => {
    await pause((rotateMs * index) / ends.length);
    while (rotations < rotationsMin) {
      await end.rotate(shortLife());
      rotations += 1;
      await pause(rotateMs);
    }
  };
  await Promise.all(ends.map(rotateOne));
  return rotations;
}

test("attack-17 a thousand rotations under load fail no request, and no connection outlives its certificates", async (t) => {
  t.timeout(100_000);
  await using pair = await MeshPair.create(shortLife());
  const halves = await Promise.all(
    Array.from({ length: servers }, (_, index) =>
      pair.addInbound(
        `b${index}`,
        answering(() => "ok"),
        shortLife(),
      ),
    ),
  );
  const stop = new AbortController();
  const load: Load = { answered: 0, failed: [] };
  const calls = halves.flatMap(async ({ id, port }) => {
    const endpoint = endpointOf(id, port);
    const cluster = { name: "b/b:80", endpoints: [endpoint] };
    const upstreams: Upstreams = { kind: "endpoint", cluster, endpoint };
    const outbound = await pair.addOutbound(upstreams, "http");
    await Promise.all(
      Array.from({ length: clientsPerServer }, () => call(pair, outbound, load, stop.signal)),
    );
  });
  const begunAt = performance.now();
  const rotations = await rotateAll(pair, halves);
  const seconds = (performance.now() - begunAt) / 1000;
  stop.abort();
  await Promise.all(calls);

  t.true(rotations >= rotationsMin);
  t.deepEqual(load.failed, []);
  t.true(load.answered > 2_000, `${load.answered} requests`);
  const ours = pair.metrics.registry.expose();
  t.notRegex(ours, /^signet_proxy_retries_total/m, "nothing was repeated");
  const theirs = halves.map(({ metrics }) => metrics.registry.expose()).join("");
  t.notRegex(ours + theirs, /ended_by_certificate_total\{.*how="cut"\} [1-9]/);
  const drained = endedBefore(ours);
  const opened = halves.reduce((sum, { callers }) => sum + callers.length, 0);
  // Each of them lived at most a certificate's life, less what is kept for draining.
  const generations = Math.floor(seconds / lifeS);
  t.true(opened >= generations * servers, `${opened} connections in ${generations} lives`);
  t.true(drained >= opened / 2, `${drained} of ${opened} were let go before their end`);
  t.log(
    `${rotations} rotations in ${seconds.toFixed(1)} s, ${load.answered} requests, ${load.failed.length} failed; ` +
      `${opened} connections, ${drained} drained or closed idle before their end, none cut`,
  );
});

/** Outbound connections that were closed, drained or idle, ahead of their certificates' end. */
function endedBefore(exposition: string): number {
  const line = /ended_by_certificate_total\{direction="outbound",how="(?:idle|drained)"\} (\d+)/g;
  return [...exposition.matchAll(line)].reduce((sum, [, count]) => sum + Number(count), 0);
}
