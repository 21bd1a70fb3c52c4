import test from "ava";
import { conclude, outcomeText, progressLine } from "./report.ts";
import type { Moment } from "./report.ts";
import { sampleSidecar } from "./sidecar-sample.ts";
import type { SidecarSample } from "./sidecar-sample.ts";
import { Tally } from "./tally.ts";
import { percentile } from "../statistics.ts";

const steady: SidecarSample = {
  rssKib: 100_000,
  pssKib: 60_000,
  heapKib: 20_000,
  externalKib: 5000,
  descriptors: 80,
};

function moments(inboundAt: (index: number) => SidecarSample, failures = 0): readonly Moment[] {
  return Array.from({ length: 90 }, (_, index) => {
    const tally = new Tally();
    tally.done("kept", 2);
    if (index < failures) tally.failed("kept", `fault ${index}`);
    const traffic = tally.report(percentile);
    return { atS: index * 5, outbound: steady, inbound: inboundAt(index), traffic };
  });
}

test("conclude is good where nothing grows and nothing failed", (t) => {
  const outcome = conclude(moments(() => steady));
  t.true(outcome.good);
  t.is(outcome.rows.length, 8);
  t.deepEqual([...new Set(outcome.rows.map(({ verdict }) => verdict))], ["flat"]);
  t.is(outcome.traffic["kept"]?.done, 90);
  t.regex(outcomeText(outcome), /^Nothing grows\.$/m);
});

test("conclude names what grows, at which end", (t) => {
  const leaking = conclude(moments((index) => ({ ...steady, descriptors: 80 + index })));
  t.false(leaking.good);
  const growing = leaking.rows.filter(({ verdict }) => verdict === "growing");
  t.deepEqual(
    growing.map(({ subject, metric }) => [subject, metric]),
    [["signet-inbound", "descriptors"]],
  );
  t.regex(outcomeText(leaking), /^signet-inbound +descriptors +growing/m);
  t.regex(outcomeText(leaking), /^Something grows\.$/m);
});

test("conclude is not good where a request failed", (t) => {
  const outcome = conclude(moments(() => steady, 1));
  t.false(outcome.good);
  t.regex(outcomeText(outcome), /1 failed[^]*not all went well/);
});

test("progressLine says where it stands", (t) => {
  const line = progressLine(moments(() => steady)[12]!, 1800);
  t.regex(line, /^1:00 of 30:00 {2}outbound 97\.7 MiB \(heap 19\.5 MiB\), 80 open; inbound /);
});

test("sampleSidecar reads a process's own books and its metrics", (t) => {
  const metrics = "signet_proxy_heap_bytes 2097152\nsignet_proxy_external_bytes 1048576\n";
  const sample = sampleSidecar(process.pid, metrics);
  t.like(sample, { heapKib: 2048, externalKib: 1024 });
  t.true(sample.rssKib > 10_000 && sample.pssKib > 1000 && sample.descriptors > 3);
});
