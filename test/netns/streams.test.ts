// What lives long or is much, through a real pair of sidecars, with real libraries at both ends.
import test from "ava";
import type { ExecutionContext } from "ava";
import { netnsTest } from "../kit/netns-test.ts";
import { MemoryWatch } from "../kit/process-memory.ts";
import { StreamMesh } from "../kit/stream-mesh.ts";
import { ports } from "../kit/streams/ports.ts";
import { detectDeadlineMs as inboundDeadlineMs } from "#/proxy/inbound/listener.ts";
import { detectDeadlineMs as outboundDeadlineMs } from "#/proxy/outbound/listener.ts";
import type { StallReport } from "../kit/streams/caller-stalls.ts";

const mib = 1024 * 1024;
/** A sidecar grows by no more while streams pass or stand still, whatever their number of bytes. */
const growthKibMax = 64 * 1024;
/** The most that the kernel holds for a socket in either direction. */
const bufferBytes = 256 * 1024;
/** What a writer gets rid of to a reader that has stopped: three connections' buffers, and some of their users'. */
const stalledBytesMax = 6 * mib;
const stalledOffer = 24 * mib;
/** Nothing is held back: what the machine takes when it is busy. */
const atOnceMs = 1000;
const silenceMs = 30_000;

let started: Promise<StreamMesh> | null = null;
/** One for the whole file: it takes some seconds. */
const mesh = (): Promise<StreamMesh> => (started ??= StreamMesh.launch({ bufferBytes }));
/** Waits beside the other tests. */
let polled: Promise<unknown> | null = null;
test.after.always(async () => {
  const it = await started?.catch(() => null);
  await it?.[Symbol.asyncDispose]();
});

netnsTest("a long poll begins", async (t) => {
  const it = await mesh();
  polled = it.call("poll", [String(silenceMs)]);
  polled.catch(() => {});
  t.pass();
});

netnsTest(
  "WebSocket messages of every kind pass as they are: text, binary, fragments, 1 MiB, ping and pong",
  async (t) => {
    t.deepEqual(await (await mesh()).call("messages"), {
      protocol: "second",
      text: "grüße",
      binary: true,
      large: true,
      largeText: true,
      fragmented: "fragmented",
      pong: "the caller's",
      ping: "are you there",
      many: true,
    });
  },
);

netnsTest("WebSocket extensions and another client library pass", async (t) => {
  const it = await mesh();
  t.deepEqual(await it.call("deflated"), { good: true, extensions: "permessage-deflate" });
  t.deepEqual(await it.call("builtIn"), {
    text: "from undici",
    closed: { code: 3001, wasClean: true },
    noted: { code: 3001, reason: "done" },
  });
});

netnsTest("WebSocket ends are told apart at either side: codes, reasons, and none", async (t) => {
  t.deepEqual(await (await mesh()).call("closes"), {
    callerSaw: [4001, "the caller's reason"],
    serverSaw: { code: 4001, reason: "the caller's reason" },
    serverClosed: [4002, "the server's reason"],
    broken: [1006, ""],
    vanished: { code: 1006, reason: "" },
  });
});

netnsTest("a WebSocket that the server refuses gets the server's own answer", async (t) => {
  t.deepEqual(await (await mesh()).call("refused"), {
    seen: { status: 403, reason: "closed", body: "not today" },
    closed: 1006,
  });
});

netnsTest(
  "server-sent events arrive at once, and go on where they were after a new start",
  async (t) => {
    const { seen, goneAfter } = (await (await mesh()).call("events")) as {
      seen: { id: number; lateMs: number; last: number }[];
      goneAfter: number;
    };
    t.deepEqual(
      seen.map(({ id, last }) => [id, last]),
      [
        [1, 0],
        [2, 0],
        [3, 0],
        [4, 3],
      ],
    );
    for (const { id, lateMs } of seen) t.true(lateMs < atOnceMs, `event ${id}: ${lateMs} ms late`);
    t.is(goneAfter, 3, "the server learns that its reader has gone");
  },
);

netnsTest("a slow writer's pieces arrive as they are sent", async (t) => {
  const { lateMs } = (await (await mesh()).call("drip")) as { lateMs: readonly number[] };
  t.is(lateMs.length, 8);
  for (const ms of lateMs) t.true(ms < atOnceMs, `${ms} ms late`);
});

netnsTest("either half of a TCP connection ends by itself", async (t) => {
  const half = {
    answered: "last words ".length * 6000,
    heard: "first",
    noted: { received: 256 * 1024, fault: "" },
  };
  t.deepEqual(await (await mesh()).call("halves"), [half, half]);
});

netnsTest(
  "a server that speaks first is heard without delay on a declared port, within the deadline elsewhere",
  async (t) => {
    const it = await mesh();
    const heard = async (port: number, count: number): Promise<readonly number[]> => {
      const { tookMs } = (await it.call("banners", [String(port), String(count)])) as {
        tookMs: readonly number[];
      };
      t.log(`port ${port}: ${tookMs.map((ms) => ms.toFixed(1)).join(", ")} ms`);
      return tookMs;
    };
    // Had it been looked at, all of them would have waited for as long.
    t.true(Math.min(...(await heard(ports.bannerOpaque, 5))) < outboundDeadlineMs);
    for (const ms of await heard(ports.bannerDetected, 3)) {
      t.true(ms >= outboundDeadlineMs && ms < outboundDeadlineMs + atOnceMs, `${ms} ms`);
    }
  },
);

netnsTest("a plaintext caller hears a server that speaks first within the deadline", async (t) => {
  const it = await mesh();
  const address = await it.addressOf("server");
  const words = [String(ports.bannerDetected), "2", address];
  const { tookMs } = (await it.call("banners", words, "outside")) as { tookMs: readonly number[] };
  for (const ms of tookMs) t.true(ms < inboundDeadlineMs + atOnceMs, `${ms} ms`);
});

netnsTest(
  "TLS of the application's own passes untouched: its certificate, its protocol, declared or not",
  async (t) => {
    const it = await mesh();
    const own = { fingerprint: it.fingerprint, alpn: "own/1", echo: "secret" };
    const address = await it.addressOf("server");
    for (const port of [ports.tls, ports.tlsDetected]) {
      t.deepEqual(await it.call("ownTls", [String(port)]), own, `${port} in the mesh`);
      const words = [String(port), address];
      t.deepEqual(await it.call("ownTls", words, "outside"), own, `${port} from outside`);
    }
    // Inside the mesh it went through mutual TLS all the same.
    t.regex(await it.metrics("server"), /connections_total\{[^}]*"mtls"/);
  },
);

netnsTest("512 MiB pass within constant memory, and bodies both ways whole", async (t) => {
  const it = await mesh();
  const bytes = 512 * mib;
  const grown = await growthOf(it, async () => {
    t.deepEqual(await it.call("tcpSource", [String(bytes)]), { bytes, fault: "" });
  });
  assertBounded(t, grown, "512 MiB of TCP");
  const bodies = 16 * mib;
  const whole = { bytes: bodies, fault: "" };
  const grownMore = await growthOf(it, async () => {
    t.deepEqual(await it.call("tcpSink", [String(bodies)]), whole, "TCP up");
    for (const framing of ["sized", "chunked"]) {
      t.deepEqual(await it.call("source", [String(bodies), framing]), whole, `${framing} down`);
      t.deepEqual(await it.call("sink", [String(bodies), framing]), whole, `${framing} up`);
    }
  });
  assertBounded(t, grownMore, "bodies");
});

netnsTest("a reader that stops stops its writer, and no sidecar's memory grows", async (t) => {
  const it = await mesh();
  let report: StallReport | null = null;
  const grown = await growthOf(it, async () => {
    const stalls = await it.begin("stalls", [String(stalledOffer)]);
    report = stalls.first as StallReport;
    const whole = { bytes: stalledOffer, fault: "" };
    t.deepEqual(await stalls.next(), [whole, whole, whole, whole]);
  });
  const { settled, sent } = report!;
  t.true(settled, "all writers stand still");
  for (const [way, bytes] of Object.entries(sent)) {
    t.log(`${way}: ${(bytes / mib).toFixed(1)} MiB sent to nobody`);
    t.true(bytes < stalledBytesMax, `${way}: ${bytes}`);
  }
  assertBounded(t, grown, "four stalled streams");
});

netnsTest("a long poll outlives 30 s of silence", async (t) => {
  const { text, tookMs } = (await polled) as { text: string; tookMs: number };
  t.is(text, "polled");
  t.true(tookMs >= silenceMs && tookMs < silenceMs + 5000, `${tookMs} ms`);
});

/** KiB by which each sidecar's peak stood above what it held before. */
async function growthOf(it: StreamMesh, work: () => Promise<void>): Promise<readonly number[]> {
  using watch = new MemoryWatch([await it.sidecar("client"), await it.sidecar("server")]);
  await work();
  return watch.grownKib;
}

function assertBounded(t: ExecutionContext, grown: readonly number[], what: string): void {
  const [client, server] = grown.map((kib) => `${(kib / 1024).toFixed(1)} MiB`);
  t.log(`${what}: the caller's sidecar grew by ${client}, the server's by ${server}`);
  for (const kib of grown) t.true(kib < growthKibMax, `${what}: ${kib} KiB`);
}
