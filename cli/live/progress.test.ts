import test from "ava";
import type { Progress } from "#/local/protocol.ts";
import { chooseStyle } from "../paint.ts";
import { noteProgress, progressLine, renderProgress } from "./progress.ts";
import type { Step } from "./progress.ts";

const plain = chooseStyle({ colour: false, unicode: false });

const event = (step: string, state: Progress["state"], atMs: number, detail = ""): Progress => ({
  step,
  state,
  atMs,
  detail,
});

const note = (...events: readonly Progress[]): readonly Step[] =>
  events.reduce<readonly Step[]>(noteProgress, []);

test("noteProgress keeps steps in order, pods as a part of the step under way", (t) => {
  const steps = note(
    event("cluster DNS", "begun", 0),
    event("cluster DNS", "done", 200),
    event("workloads", "begun", 300),
    event("app-a/app-a-0", "begun", 350, "container proxy-init"),
    event("app-b/app-b-0", "begun", 350, "container proxy-init"),
    event("app-a/app-a-0", "begun", 400, "container proxy"),
  );
  t.deepEqual(
    steps.map(({ name, endedAt, busyWith }) => [name, endedAt, busyWith]),
    [
      ["cluster DNS", 200, []],
      ["workloads", null, ["app-b/app-b-0 container proxy-init", "app-a/app-a-0 container proxy"]],
    ],
  );
});

test("renderProgress shows how long each took and what is under way", (t) => {
  const steps = note(
    event("cluster DNS", "begun", 0),
    event("cluster DNS", "done", 240),
    event("workloads", "begun", 300),
    event("app-a/app-a-0", "begun", 400, "container proxy"),
  );
  t.deepEqual(
    renderProgress(steps, 1300, 60, plain),
    [
      "ok cluster DNS                          0.2 s",
      "/ workloads                            1.0 s".replace("/", "/"),
      "    app-a/app-a-0 container proxy",
    ].map((line, index) =>
      index === 1 ? `${plain.glyphs.spinner[13 % 4]} ${line.slice(2)}` : line,
    ),
  );
});

test("renderProgress shows what was broken off as neither done nor under way", (t) => {
  const steps = note(
    event("workloads", "begun", 300),
    event("app-a/app-a-0", "begun", 400, "container proxy"),
  );
  t.deepEqual(renderProgress(steps, 1300, 60, plain, true), [
    `${plain.glyphs.waiting} workloads                            1.0 s`,
  ]);
});

test("renderProgress says why a step failed", (t) => {
  const steps = note(event("world", "begun", 0), event("world", "failed", 1000, "Cannot listen"));
  t.deepEqual(renderProgress(steps, 2000, 60, plain).slice(1), ["    Cannot listen"]);
});

test("progressLine is one line at the end of each step", (t) => {
  const begun = note(event("world", "begun", 0));
  t.is(progressLine(begun, event("world", "begun", 0), plain), null);
  const done = noteProgress(begun, event("world", "done", 1500));
  t.is(progressLine(done, event("world", "done", 1500), plain), "ok world (1.5 s)");
  const failed = noteProgress(begun, event("world", "failed", 1500, "it broke"));
  t.is(
    progressLine(failed, event("world", "failed", 1500), plain),
    "FAILED world (1.5 s): it broke",
  );
  t.is(progressLine(done, event("app-a/x", "begun", 1), plain), null);
});
