// One round of one work on one subject: the hostile program beside others who behave.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { controllerAddress } from "../control-plane.ts";
import { hosts, layout, loadCore, plainUid, proxyUid } from "../layout.ts";
import { runLoad } from "../measure.ts";
import { cpuMicroseconds, descendants, memoryOf, runPlaced } from "../process.ts";
import type { Metric, Sample } from "../rows.ts";
import { emptyLogs } from "../subject.ts";
import type { Bench, Running } from "../subject.ts";
import type { Work } from "../works.ts";
import { clientPod } from "../world.ts";
import { readyLine } from "./plan.ts";
import type { VolumePlan, VolumeResult } from "./plan.ts";
import { othersAfterS, othersMeasuredS, othersRate } from "./works.ts";
import type { VolumeWork } from "./works.ts";

/** The requests of those who behave. */
export const others: Work = {
  name: "others",
  route: "pair",
  connections: 8,
  path: "/hello",
  headers: [],
  bodyBytes: 0,
  carries: "http",
  field: "peers",
  load: "paced",
  rate: othersRate,
};

/** After the last connection: what the proxy still has open then, it keeps. */
const settleS = 2;

type Facts = Partial<Record<Metric, number>>;

/** KiB of the outbound proxy. */
export function outboundKib({ proxies }: Running): number {
  return memoryOf(descendants(proxies.measured.at(-1)!.pid)).pssKib;
}

/** `beforeKib`: what `outboundKib` said before the first round, since memory is kept from round to round. */
export async function measureVolume(
  bench: Bench,
  work: VolumeWork,
  running: Running,
  beforeKib: number,
): Promise<Sample[]> {
  const facts =
    work.name === "handshakes"
      ? await shakeHands(bench, work, running)
      : await besideOthers(bench, work, running, beforeKib);
  emptyLogs(running);
  return Object.entries(facts).map(([metric, value]) => ({
    subject: running.name,
    metric: metric as Metric,
    value,
  }));
}

/** Many connections on the outbound proxy, and how the others fare meanwhile. */
async function besideOthers(
  bench: Bench,
  work: VolumeWork,
  running: Running,
  beforeKib: number,
): Promise<Facts> {
  const hostile = startHostile(bench, planOf(work, running), running);
  await hostile.ready;
  await delay(othersAfterS * 1000);
  const grown = outboundKib(running) - beforeKib;
  const times = { warmUpS: 1, measureS: othersMeasuredS };
  const { result: good } = await runLoad(bench, others, running, times);
  const { failed, cutMs } = await hostile.result;
  return {
    connection_kib: grown / work.connections,
    p50_us: good.p50Us,
    p99_us: good.p99Us,
    ...(cutMs === null ? {} : { cut_ms: cutMs }),
    errors: good.errors + failed,
  };
}

/** Full handshakes with the inbound proxy, one connection each. */
async function shakeHands(bench: Bench, work: VolumeWork, running: Running): Promise<Facts> {
  const pids = descendants(running.proxies.measured[0]!.pid);
  const openBefore = descriptorsOf(pids);
  const hostile = startHostile(bench, planOf(work, running), running);
  await hostile.ready;
  const cpuBefore = cpuMicroseconds(pids);
  const { done, failed, seconds } = await hostile.result;
  const spent = cpuMicroseconds(pids) - cpuBefore;
  await delay(settleS * 1000);
  return {
    cpu_us: spent / done,
    rps: done / seconds,
    descriptors_left: descriptorsOf(pids) - openBefore,
    errors: failed,
  };
}

interface Hostile {
  readonly ready: Promise<void>;
  readonly result: Promise<VolumeResult>;
}

function startHostile(bench: Bench, plan: VolumePlan, running: Running): Hostile {
  const planPath = `${bench.runFolder}/volume.json`;
  writeFileSync(planPath, JSON.stringify(plan));
  const program = `${bench.projectFolder}/bench/volume/hostile.ts`;
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  const { client: namespace } = running.network;
  // As the proxies' user it is not redirected: it speaks to the inbound proxy itself.
  const uid = plan.member === null ? plainUid : proxyUid;
  const output = runPlaced(
    { namespace, core: loadCore, uid },
    process.execPath,
    [program, planPath],
    (line) => {
      if (line === readyLine) resolve();
    },
  );
  output.catch(reject);
  const result = output.then((text) => JSON.parse(text.trim().split("\n").at(-1)!) as VolumeResult);
  // Whoever waits for it hears of a failure by `ready` first.
  result.catch(() => {});
  return { ready, result };
}

function planOf(work: VolumeWork, running: Running): VolumePlan {
  const common = {
    work: work.name,
    host: hosts.pair,
    connections: work.connections,
    holdS: work.holdS,
  };
  if (work.name !== "handshakes") {
    const { meshService: address, servicePort: port } = layout;
    return { ...common, address, port, member: null };
  }
  const { server: address, backendPort: port } = layout;
  return { ...common, address, port, member: memberOf(running) };
}

/** Ours is certified as the client's sidecar is; peers' callers show what their outbound proxy shows. */
function memberOf({ name, folder }: Running): NonNullable<VolumePlan["member"]> {
  if (name === "signet") {
    return {
      kind: "mesh",
      controller: controllerAddress,
      token: readFileSync(`${folder}/${clientPod.name}/token`, "utf8"),
      bundle: `${folder}/control-plane/world/bundle.pem`,
      alpn: ["signet-h2", "signet-http/1.1"],
    };
  }
  const alpn = name.endsWith("http2") ? ["h2"] : [];
  const [cert, key] = ["out.crt", "out.key"].map((file) =>
    readFileSync(`${folder}/${file}`, "utf8"),
  );
  return { kind: "key", cert: cert!, key: key!, alpn };
}

function descriptorsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
}
