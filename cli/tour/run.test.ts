import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import type { Mesh } from "../mesh.ts";
import { FalseClaim, hold, until } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { runTour } from "./run.ts";
import type { TourReport } from "./run.ts";

function contextOf(signal: AbortSignal = new AbortController().signal): TourContext {
  const nobody = (): never => {
    throw new Error("not asked here");
  };
  const mesh = new Proxy({} as Mesh, { get: nobody });
  return {
    mesh,
    clock: systemClock,
    signal,
    runHere: nobody,
    wire: { listen: nobody },
    images: nobody,
  };
}

interface Recorder extends TourReport {
  readonly events: string[];
}

function recorder(): Recorder {
  const events: string[] = [];
  return {
    events,
    begun: (claim, isBeside) => void events.push(`${isBeside ? "beside" : "begun"} ${claim.title}`),
    confirmed: (claim, evidence) =>
      void events.push(`confirmed ${claim.title}: ${evidence.join()}`),
    refuted: (claim, thrown) => void events.push(`refuted ${claim.title}: ${String(thrown)}`),
  };
}

const fine = (title: string): Claim => ({ title, run: async () => [`${title} seen`] });
const wrong = (title: string): Claim => ({
  title,
  run: async () => {
    hold(false, "it is not so");
    return [];
  },
});
/** Goes on until it is told to stop, as a load does. */
const endless = (title: string, ended: string[]): Claim => ({
  title,
  run: ({ signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        ended.push(title);
        reject(signal.reason as Error);
      });
    }),
});

test("runTour walks the claims in order, stage by stage", async (t) => {
  const report = recorder();
  const stages = [
    { beside: [fine("b")], inOrder: [fine("1"), fine("2")] },
    { beside: [], inOrder: [fine("3")] },
  ];
  t.true(await runTour(contextOf(), stages, report));
  t.deepEqual(
    report.events.filter((each) => each.startsWith("begun")),
    ["begun 1", "begun 2", "begun 3"],
  );
  t.is(report.events.filter((each) => each.startsWith("confirmed")).length, 4);
  t.is(report.events.at(-1), "confirmed 3: 3 seen");
});

test("runTour ends at the first false claim, and stops what runs beside it", async (t) => {
  const report = recorder();
  const ended: string[] = [];
  const stages = [
    { beside: [endless("load", ended)], inOrder: [fine("1"), wrong("2"), fine("3")] },
    { beside: [], inOrder: [fine("4")] },
  ];
  t.false(await runTour(contextOf(), stages, report));
  t.deepEqual(report.events, [
    "beside load",
    "begun 1",
    "confirmed 1: 1 seen",
    "begun 2",
    "refuted 2: FalseClaim: Cannot confirm the claim: it is not so",
  ]);
  t.deepEqual(ended, ["load"]);
});

test("runTour takes a claim that crashes for false", async (t) => {
  const report = recorder();
  const crash = { title: "x", run: () => Promise.reject(new TypeError("no such thing")) };
  t.false(await runTour(contextOf(), [{ beside: [], inOrder: [crash] }], report));
  t.is(report.events.at(-1), "refuted x: TypeError: no such thing");
});

test("runTour that is stopped confirms nothing and refutes nothing", async (t) => {
  const stop = new AbortController();
  const report = recorder();
  const stages = [{ beside: [], inOrder: [endless("load", []), fine("2")] }];
  const running = runTour(contextOf(stop.signal), stages, report);
  stop.abort(new Error("enough"));
  await t.throwsAsync(running, { message: "enough" });
  t.deepEqual(report.events, ["begun load"]);
});

test("runTour whose time is over refutes what was under way", async (t) => {
  const stop = new AbortController();
  const report = recorder();
  const running = runTour(
    contextOf(stop.signal),
    [{ beside: [], inOrder: [endless("load", [])] }],
    report,
  );
  stop.abort(new FalseClaim("claim_false", "too long"));
  t.false(await running);
  t.is(report.events.at(-1), "refuted load: FalseClaim: too long");
});

// The clock's timers keep no process alive, and in here nothing else does.
const alive = setInterval(() => undefined, 2 ** 30);
test.after.always(() => clearInterval(alive));

test("until gives the first answer that is one, and refutes when there is none in time", async (t) => {
  let asked = 0;
  const third = async (): Promise<string | null> => {
    asked += 1;
    return asked === 3 ? "yes" : null;
  };
  t.is(await until(contextOf(), "three", 2000, third), "yes");
  const error = await t.throwsAsync(
    until(contextOf(), "nothing", 50, async () => null),
    {
      instanceOf: FalseClaim,
    },
  );
  t.is(error?.message, "Cannot confirm the claim: nothing: not within 0.05 s");
});
