// A sidecar of two workers as it ships, behind the kernel's own rules.
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import type { ExecutionContext } from "ava";
import { FrozenThread, missingFreezer } from "../kit/frozen-thread.ts";
import { netnsTest } from "../kit/netns-test.ts";
import { SidecarLab, podAddresses } from "../kit/sidecar-lab.ts";
import type { Dial } from "./dialler.ts";

const get = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
/** That all of them fall to one of two workers happens once in eight million runs. */
const connections = 24;
const getLast = get.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
const ready = String.raw`exec 3<>/dev/tcp/127.0.0.1/4100 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && head -c 15 <&3`;
const way = { address: podAddresses.ipv4, port: 8080 } as const;

let started: Promise<SidecarLab> | null = null;
const lab = (): Promise<SidecarLab> =>
  (started ??= SidecarLab.create([80, 8080], { environment: { SIGNET_WORKERS: "2" } }));
test.after.always(async () => {
  const it = await started?.catch(() => null);
  await it?.[Symbol.asyncDispose]();
});

const times = <T>(each: T): readonly T[] => Array.from({ length: connections }, () => each);

async function untilMetrics(t: ExecutionContext, it: SidecarLab, pattern: RegExp): Promise<void> {
  for (let tries = 0; tries < 40; tries += 1) {
    if (pattern.test(await it.metrics())) return;
    await pause(50);
  }
  t.fail(`${pattern} does not come to pass: ${await it.metrics()}\n${it.said}`);
}

function sumOf(metrics: string, name: string): number {
  return metrics
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

netnsTest(
  "two workers serve callers of the mesh by one identity, and are counted as one",
  async (t) => {
    const it = await lab();
    t.regex(await it.metrics(), /^signet_proxy_workers 2$/m);
    const member: Dial = {
      ...way,
      pieces: [get, getLast],
      gapMs: 300,
      waitMs: 15_000,
      mesh: "signet-http/1.1",
    };
    const answers = await it.dial(it.neighbour, times(member), true);
    for (const { received } of answers) {
      t.is(received.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
    }
    const metrics = await it.metrics();
    t.is(sumOf(metrics, "signet_proxy_responses_total"), connections * 2);
    t.is(sumOf(metrics, "signet_proxy_connections_total"), connections);
    t.regex(metrics, /^signet_proxy_certificates_issued_total 1$/m);
    await pause(300);
    const lines = it.said.split("\n").filter((line) => line.includes('"kind":"request"'));
    t.is(lines.length, connections * 2);
    for (const line of lines) t.notThrows(() => JSON.parse(line) as unknown, line);
  },
);

netnsTest(
  "a policy that becomes strict ends live plaintext in every worker within a second",
  async (t) => {
    const it = await lab();
    await it.setMode("PERMISSIVE");
    const pieces = Array.from({ length: 60 }, () => get);
    const live = it.dial(it.neighbour, times({ ...way, pieces, gapMs: 200, waitMs: 20_000 }));
    await untilMetrics(
      t,
      it,
      new RegExp(`connections_open\\{direction="inbound"\\} ${connections}$`, "m"),
    );
    await it.setMode("STRICT");
    const began = Date.now();
    for (const { end, received } of await live) {
      t.is(end, "reset");
      t.regex(received, /^HTTP\/1\.1 200 OK/);
    }
    t.true(Date.now() - began < 1000, `${Date.now() - began} ms`);
    const fresh = await it.dial(it.neighbour, times({ ...way, pieces: [get], waitMs: 4000 }));
    for (const { end } of fresh) t.is(end, "reset");
  },
);

netnsTest(
  "a worker that stands still is given up within the bound while the other serves, and is replaced",
  async (t) => {
    const it = await lab();
    await it.setMode("STRICT");
    const member: Dial = { ...way, pieces: [getLast], waitMs: 5000, mesh: "signet-http/1.1" };
    const answered = async (): Promise<number> => {
      const found = await it.dial(it.neighbour, times(member), true);
      return found.filter(({ received }) => received.startsWith("HTTP/1.1 200 OK")).length;
    };
    using frozen = FrozenThread.freeze(it.processId, "proxy-0");
    const some = await answered();
    t.true(some > 0 && some < connections, `${some} of ${connections}`);
    await untilMetrics(t, it, /^signet_proxy_workers 1$/m);
    t.regex(it.said, /"worker":"proxy-0","silent_ms":\d{4,5}/);
    t.regex(await it.pod.succeed("bash", ["-c", ready]), / 503 /);
    frozen[Symbol.dispose]();
    await untilMetrics(t, it, /^signet_proxy_workers 2$/m);
    t.regex(await it.metrics(), /^signet_proxy_worker_restarts_total\{reason="silent"\} 1$/m);
    t.is(await answered(), connections);
    t.regex(await it.pod.succeed("bash", ["-c", ready]), / 200 OK/);
  },
  missingFreezer(),
);

netnsTest("a sidecar that is told to stop ends with all of its workers", async (t) => {
  const it = await lab();
  const { processId } = it;
  process.kill(processId, "SIGTERM");
  for (let tries = 0; tries < 100 && existsSync(`/proc/${processId}`); tries += 1) await pause(100);
  t.false(existsSync(`/proc/${processId}`));
  t.regex(it.said, /"msg":"draining"/);
  t.notRegex(it.said, /"level":50[^\n]*(?:uncaught|crashed)/);
});
