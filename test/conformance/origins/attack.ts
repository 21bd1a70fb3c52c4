// The tests of one origin: every corpus, by both ways, and a table row of how they ended.
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "ava";
import type { HostileCase } from "../../kit/hostile/case.ts";
import { marker, smuggled } from "../../kit/hostile/case.ts";
import { chunks } from "../../kit/hostile/chunks.ts";
import { fields } from "../../kit/hostile/fields.ts";
import { framing } from "../../kit/hostile/framing.ts";
import { lines } from "../../kit/hostile/lines.ts";
import { admitted, paths } from "../../kit/hostile/paths.ts";
import { bytesOf, readVectors } from "../../kit/vectors.ts";
import { understand } from "../../kit/understood.ts";
import { gunicornCorpus } from "./gunicorn-corpus.ts";
import { awaitedFor, judge, staysAdmitted } from "./judge.ts";
import { HostileLab, surfaces } from "../../kit/hostile/lab.ts";
import type { Surface } from "../../kit/hostile/lab.ts";
import type { Origin } from "./origin.ts";
import { startOrigin } from "./start.ts";
import type { OriginName } from "./start.ts";
import { emptyTally } from "./tally.ts";
import type { Tally } from "./tally.ts";

/** For the record of a request that was answered already. */
const toldMsMax = 20_000;
/** A request that nobody waits for has come by then. */
const settledMs = 300;

interface Corpus {
  readonly name: string;
  readonly cases: readonly { readonly name: string; readonly bytes: Buffer }[];
}

const vectorCorpus = (file: string, before = ""): Corpus["cases"] =>
  (readVectors(`http1/${file}.json`) as readonly { bytes: string; name: string }[]).map(
    ({ name, bytes }) => ({ name: `${file}: ${name}`, bytes: bytesOf(before + bytes + smuggled) }),
  );

const own = (cases: readonly HostileCase[]): Corpus["cases"] =>
  cases.map(({ attack, name, bytes }) => ({
    name: `attack-${attack} ${name}`,
    bytes: bytesOf(bytes),
  }));

const post = "POST /sent HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";

const corpora: readonly Corpus[] = [
  { name: "framing", cases: own(framing) },
  { name: "chunks", cases: own(chunks) },
  { name: "lines", cases: own(lines) },
  { name: "fields", cases: own(fields) },
  {
    name: "vectors",
    cases: [
      ...vectorCorpus("request-refused"),
      ...vectorCorpus("request-accepted"),
      ...vectorCorpus("chunked", post),
    ],
  },
  {
    name: "gunicorn",
    cases: (["invalid", "valid"] as const).flatMap((kind) =>
      gunicornCorpus(process.env["SIGNET_TEST_GUNICORN_SOURCE"] ?? "", kind),
    ),
  },
];

/** Makes the tests. Each is one corpus by one way, each row of it against the same origin. */
export function attackOrigin(name: OriginName): void {
  let origin: Origin;
  let lab: HostileLab;
  const tallies: Record<string, Tally> = {};
  test.before(async () => {
    origin = await startOrigin(name);
    lab = await HostileLab.create(origin.port);
  });
  for (const corpus of corpora) {
    for (const surface of surfaces) {
      const title = `${name} sees what the sidecar understood of ${corpus.name}, sent by ${surface}`;
      test.serial(title, async (t) => {
        const tally = emptyTally();
        tallies[`${corpus.name}, ${surface}`] = tally;
        const faults: string[] = [];
        for (const { name: what, bytes } of corpus.cases) {
          faults.push(...(await attempt(what, bytes, surface, tally)));
        }
        t.deepEqual(faults, []);
      });
    }
  }
  test.serial(`${name} is asked for no path that a policy does not admit`, async (t) => {
    await using narrow = await HostileLab.create(origin.port, admitted);
    for (const { name: what, bytes, passes } of paths) {
      const before = origin.seen.length;
      const request = bytesOf(bytes);
      const attempted = await narrow.attempt(
        "application",
        request,
        awaitedFor(understand(request)),
      );
      const seen = await seenSince(what, narrow, "application", before);
      for (const one of seen) t.true(staysAdmitted(one), `${what}: ${JSON.stringify(one)}`);
      if (passes === 1) t.is(attempted.answers[0]?.status, 200, what);
      t.is(seen.length, attempted.answers[0]?.status === 200 ? 1 : 0, what);
    }
  });
  test.serial(`${name} never sees what was smuggled, later either`, async (t) => {
    await new Promise((resolve) => setTimeout(resolve, settledMs));
    const expected = corpora
      .flatMap(({ cases }) => cases)
      .flatMap(({ bytes }) => understand(bytes).requests)
      .filter(({ target }) => target.startsWith(marker)).length;
    const found = origin.seen.filter(({ target }) => target.startsWith(marker)).length;
    t.true(found <= expected * surfaces.length, `${found} of ${expected}`);
  });
  test.after.always(async () => {
    await lab?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
    const folder = process.env["SIGNET_TEST_TALLIES"] ?? "";
    if (folder !== "") writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(tallies));
  });

  async function attempt(
    what: string,
    bytes: Buffer,
    surface: Surface,
    tally: Tally,
  ): Promise<readonly string[]> {
    const understood = understand(bytes);
    const before = origin.seen.length;
    const attempted = await lab.attempt(surface, bytes, awaitedFor(understood));
    const seen = await seenSince(what, lab, surface, before);
    const { faults, outcome } = judge(understood, attempted, seen, lab.identity);
    tally[outcome] += 1;
    if (faults.length === 0) return [];
    return [
      `${what}: ${faults.join("; ")}; ${JSON.stringify({ end: understood.end, attempted, seen })}`,
    ];
  }

  /** What the origin saw since `what` began, up to a good request that was answered rightly. */
  async function seenSince(
    what: string,
    through: HostileLab,
    surface: Surface,
    before: number,
  ): Promise<readonly (typeof origin.seen)[number][]> {
    const { target, text } = await through.askGood(surface);
    if (!text.startsWith("HTTP/1.1 200") || !text.endsWith(`\r\n\r\nGET ${target}`)) {
      const facts = JSON.stringify({ text, refusals: through.refusals() });
      throw new Error(
        `After ${what} a good request for ${target} was answered otherwise: ${facts}`,
      );
    }
    const deadline = Date.now() + toldMsMax;
    for (;;) {
      const at = origin.seen.findIndex((one, index) => index >= before && one.target === target);
      if (at >= 0) return origin.seen.slice(before, at);
      if (Date.now() > deadline) throw new Error(`${origin.name} does not tell of ${target}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
