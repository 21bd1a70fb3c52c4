// A sidecar as it ships that is asked for more than its share of a core can give, and for more connections than it
// may hold.
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { ExecutionContext } from "ava";
import { CpuQuota } from "../kit/cpu-quota.ts";
import { netnsTest } from "../kit/netns-test.ts";
import { SidecarLab, podAddresses } from "../kit/sidecar-lab.ts";
import type { Dial } from "./dialler.ts";
import type { Flooded, Order } from "./flood.ts";

const flood = fileURLToPath(new URL("flood.ts", import.meta.url));
const get = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
/** Of one core: some hundred requests a second. */
const corePercent = 10;
const lagMs = 40;
const tcp = { address: podAddresses.ipv4, port: 80 } as const;

let started: Promise<SidecarLab> | null = null;
const lab = (): Promise<SidecarLab> =>
  (started ??= SidecarLab.create([80, 8080], {
    environment: { SIGNET_OVERLOAD_LAG_MS: String(lagMs), SIGNET_CONNECTIONS_MAX: "200" },
  }));
test.after.always(async () => {
  const it = await started?.catch(() => null);
  await it?.[Symbol.asyncDispose]();
});

async function floodOf(it: SidecarLab, order: Omit<Order, "address">): Promise<Flooded> {
  const whole: Order = { address: podAddresses.ipv4, ...order };
  const quiet = "--disable-warning=ExperimentalWarning";
  const command = [quiet, flood, JSON.stringify(whole)];
  return JSON.parse(await it.neighbour.succeed(process.execPath, command)) as Flooded;
}

/** Resolves once the metrics say so. */
async function untilMetrics(t: ExecutionContext, it: SidecarLab, pattern: RegExp): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (pattern.test(await it.metrics())) return;
    await pause(50);
  }
  t.fail(`${pattern} does not come to pass: ${await it.metrics()}`);
}

const admin = (path: string): string =>
  String.raw`exec 3<>/dev/tcp/127.0.0.1/4100 && printf 'GET ${path} HTTP/1.0\r\n\r\n' >&3 && head -c 15 <&3`;

netnsTest(
  "a sidecar that lags refuses what is new, goes on with what it has, and takes everything again afterwards",
  async (t) => {
    const it = await lab();
    await it.setMode("PERMISSIVE");
    using _quota = CpuQuota.limit(it.processId, corePercent);
    const pieces = Array.from({ length: 24 }, () => "x");
    const live = it.dial(it.neighbour, [{ ...tcp, pieces, gapMs: 300, waitMs: 12_000 }]);
    await untilMetrics(t, it, /connections_open\{direction="inbound"\} 1$/m);
    const flooding = floodOf(it, { port: 8080, connections: 64, forMs: 8000 });
    await untilMetrics(t, it, /^signet_proxy_overloaded\{direction="inbound"\} 1$/m);
    t.regex(await it.metrics(), /^signet_proxy_overloaded\{direction="outbound"\} 0$/m);
    const fresh = { ...tcp, pieces: ["x"], waitMs: 4000 };
    const member = { ...fresh, mesh: "signet-http/1.1" } as const;
    for (const { end } of await it.dial(it.neighbour, [fresh, member], true)) t.is(end, "reset");
    for (const path of ["/livez", "/readyz"]) {
      t.regex(await it.pod.succeed("bash", ["-c", admin(path)]), / 200 OK/);
    }
    const { answers, examples, closed } = await flooding;
    t.true((answers["200"] ?? 0) > 0, JSON.stringify(answers));
    t.true((answers["503"] ?? 0) > 0, JSON.stringify(answers));
    t.regex(examples["503"] ?? "", /server: signet\r\n[^]*\r\n\r\nservice unavailable\n$/);
    t.notRegex(examples["503"] ?? "", /connection: close/);
    t.is(closed, 0);
    const [talking] = await live;
    t.is(talking!.end, "open");
    // A slow sidecar may pass several on at once.
    const passed = it.arrived.flatMap((line) => /^bytes 80 "(x+)"$/.exec(line)?.[1] ?? []);
    t.is(passed.join(""), pieces.join(""));
    t.regex(it.said, /"status":503[^\n]*"reason":"overloaded"/);
    t.regex(it.said, /"refuses":"inbound","reason":"lag"/);
    t.regex(await it.metrics(), /refusals_total\{direction="inbound",reason="overloaded"\} [1-9]/);
    await untilMetrics(t, it, /^signet_proxy_overloaded\{direction="inbound"\} 0$/m);
    const once: Dial = { address: podAddresses.ipv4, port: 8080, pieces: [get], waitMs: 2000 };
    const [after] = await it.dial(it.neighbour, [once]);
    t.regex(after!.received, /^HTTP\/1\.1 200 OK/);
  },
);

netnsTest(
  "more connections than one source may hold are reset, and another source is served",
  async (t) => {
    const it = await lab();
    await it.setMode("PERMISSIVE");
    const hold = (address: string): Dial => ({ address, port: 80, pieces: ["x"], waitMs: 3000 });
    const many = Array.from({ length: 110 }, () => hold(podAddresses.ipv4));
    const others = Array.from({ length: 10 }, () => hold(podAddresses.ipv6));
    const [held, served] = await Promise.all([
      it.dial(it.neighbour, many),
      pause(1500).then(() => it.dial(it.neighbour, others)),
    ]);
    t.is(held.filter(({ end }) => end === "reset").length, 10);
    t.is(held.filter(({ received }) => received.endsWith("app")).length, 100);
    t.is(served.filter(({ received }) => received.endsWith("app")).length, 10);
    t.regex(
      await it.metrics(),
      /refusals_total\{direction="inbound",reason="source_overflow"\} 10$/m,
    );
  },
);

netnsTest(
  "a sidecar short of memory sheds connections with their requests, and never for want of a few",
  async (t) => {
    await using it = await SidecarLab.create([80, 8080], {
      environment: {
        // A heap of which any sidecar uses more than a fifth.
        NODE_OPTIONS: "--max-old-space-size=64",
        SIGNET_OVERLOAD_MEMORY_PERCENT: "15",
      },
    });
    await it.setMode("PERMISSIVE");
    const few = await floodOf(it, { port: 8080, connections: 8, forMs: 3000 });
    t.deepEqual(Object.keys(few.answers), ["200"]);
    const many = await floodOf(it, { port: 8080, connections: 100, forMs: 5000 });
    t.true((many.answers["503"] ?? 0) > 0, JSON.stringify(many.answers));
    t.regex(many.examples["503"] ?? "", /connection: close/);
    t.true(many.closed > 0);
    t.regex(it.said, /"refuses":"inbound[^\n]*"reason":"memory"/);
    await untilMetrics(t, it, /^signet_proxy_overloaded\{direction="inbound"\} 0$/m);
  },
);
