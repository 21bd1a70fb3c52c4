import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { makeRoot } from "#/ca/mesh-authorities.ts";
import { makePending } from "#/ca/rotation/offline.ts";
import { toPem } from "#/identity/bundle.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import type { KubernetesObject, Mesh } from "../mesh.ts";
import { createPrinter } from "../print.ts";
import { caInstall, caRequest, caRotate } from "./ca.ts";
import type { CommandContext } from "./context.ts";

const at = "2026-11-21T08:00:00.000Z";
const state = {
  pod: "c-0",
  isDriver: true,
  custody: "managed",
  place: 'Secret "signet-system/signet-ca"',
  hasRootKey: true,
  areKeysWrapped: false,
  roots: [{ fingerprint: "aa".repeat(32), notAfter: at }],
  intermediate: { fingerprint: "bb".repeat(32), notAfter: at },
  rotation: null as object | null,
  last: null as object | null,
  pending: null as string | null,
  refusal: null as object | null,
  fault: "",
};
const waiting = [
  { kind: "proxy", name: "a/1", reason: "not_connected", since: at, bundle: null },
  { kind: "proxy", name: "a/2", reason: "bundle_not_acknowledged", since: at, bundle: "v1" },
];
const under = (id: string, step: string, more: object = {}): object => ({
  id,
  of: "root",
  step,
  isAborting: false,
  startedAt: at,
  since: at,
  from: "aa",
  to: "cc",
  waiting: [],
  ...more,
});
const ended = (id: string, end: string): object => ({
  id,
  of: "root",
  end,
  startedAt: at,
  finishedAt: "2026-11-21T08:00:09.000Z",
});

/** Waits no longer than it must; and the test's process waits for it. */
const clock = {
  ...systemClock,
  after: (delayMs: number, callback: () => void) => {
    const timer = setTimeout(callback, Math.min(delayMs, 20));
    return () => clearTimeout(timer);
  },
};

type Answer = (id: string) => Partial<typeof state>;

interface Run {
  readonly done: Promise<number>;
  readonly said: string[];
  readonly asked: unknown[];
}

function run(
  options: CommandContext["options"],
  authority: string | null,
  ...answers: readonly Answer[]
): Run {
  const words: CommandContext["words"] = authority === null ? {} : { authority: [authority] };
  return runCommand(caRotate, options, words, ...answers);
}

/** A mesh that gives one answer after the other, of whatever was asked for last. */
function runCommand(
  command: typeof caRotate,
  options: CommandContext["options"],
  words: CommandContext["words"],
  ...answers: readonly Answer[]
): Run {
  const asked: { readonly id: string }[] = [];
  const said: string[] = [];
  const left = [...answers];
  const mesh = {
    place: "this machine",
    inspect: async () => {
      const next = left.length > 1 ? left.shift()! : left[0]!;
      return [
        { ...state, isDriver: false },
        { ...state, ...next(asked.at(-1)?.id ?? "") },
      ];
    },
    apply: async ([object]: readonly KubernetesObject[]) => {
      const { request } = object!["data"] as { request: string };
      asked.push(JSON.parse(request) as { id: string });
    },
  };
  const stream = { write: (text: string) => said.push(text) };
  const context = {
    print: createPrinter(options["output"] === "json" ? "json" : "table", {}, stream, stream),
    clock,
    signal: new AbortController().signal,
    words,
    options,
  } as unknown as CommandContext;
  return { done: command(context, mesh as unknown as Mesh), said, asked };
}

test("ca request prints the request of a new key, and ca install hands its certificate in", async (t) => {
  const [{ request: old }, { request }] = [makePending(), makePending()];
  const asking = runCommand(
    caRequest,
    {},
    {},
    () => ({ pending: old }),
    () => ({ pending: request }),
  );
  t.is(await asking.done, 0);
  t.like(asking.asked, [{ action: "request", of: "intermediate" }]);
  t.true(asking.said.join("").startsWith(request));
  t.regex(asking.said.join(""), /Key fingerprint \(SHA-256\): [0-9a-f]{64};/);
  const refusal = (id: string) => ({ refusal: { id, message: "Cannot make a request", next: "" } });
  await t.throwsAsync(runCommand(caRequest, {}, {}, () => ({}), refusal).done, {
    message: /request/,
  });

  const file = path.join(mkdtempSync(path.join(tmpdir(), "signet-ca-")), "intermediate.crt");
  const words = { certificate: [file] };
  const missing = runCommand(caInstall, {}, words, () => ({}));
  await t.throwsAsync(missing.done, { code: "unreadable", message: /Cannot install/ });
  const root = await makeRoot(parseTrustDomain("cluster.local"), Date.now());
  const pem = toPem(root.certificate);
  writeFileSync(file, `what it is\n${pem}`);
  const installing = runCommand(caInstall, {}, words, (id) => ({ last: ended(id, "rotated") }));
  t.is(await installing.done, 0);
  t.like(installing.asked, [{ action: "install", certificate: pem }]);
  writeFileSync(file, pem + pem);
  await t.throwsAsync(runCommand(caInstall, {}, words, () => ({})).done, {
    message: /more than one/,
  });
});

test("ca rotate asks once, tells each step and who is waited for, and ends with the rotation", async (t) => {
  const { done, said, asked } = run(
    {},
    "root",
    () => ({}),
    (id) => ({ rotation: under(id, "staged", { waiting }) }),
    (id) => ({ rotation: under(id, "staged", { waiting: waiting.slice(1) }) }),
    (id) => ({ rotation: under(id, "switched") }),
    (id) => ({ last: ended(id, "rotated") }),
  );
  t.is(await done, 0);
  t.like(asked, [{ action: "rotate", of: "root" }]);
  const text = said.join("");
  t.regex(text, /staged: the next root is trusted beside the present one/);
  t.regex(text, /a\/1: no controller is connected with its sidecar, since 2026-11-21 08:00:00Z\n/);
  t.regex(text, /a\/2: has not acknowledged the trust bundle, since .*\(it last acknowledged v1\)/);
  t.is(text.split("a/2: ").length, 2, "named once");
  t.regex(text, /waits for 1 more\n/);
  t.regex(text, /switched: issuers hang from the next one/);
  t.regex(text, /the root was rotated in 9\.0 s/);
});

test("ca rotate ends with 1 when somebody else aborts it", async (t) => {
  const { done } = run(
    {},
    "root",
    () => ({}),
    (id) => ({ last: ended(id, "aborted") }),
  );
  t.is(await done, 1);
});

test("ca rotate says why it is refused, and by when it is not done", async (t) => {
  const refusal = (id: string) => ({
    refusal: { id, message: "Cannot rotate: no key", next: "N" },
  });
  await t.throwsAsync(run({}, "root", () => ({}), refusal).done, { message: /no key/ });
  const { done } = run(
    { timeout: "1s" },
    "root",
    () => ({}),
    (id) => ({
      rotation: under(id, "staged", { waiting }),
    }),
  );
  const late = await t.throwsAsync(done);
  t.regex(late?.message ?? "", /within 1s: it waits for a\/1: no controller is connected/);
  t.throws(
    () => {
      throw late;
    },
    { code: "failed" },
  );
});

test("ca rotate follows one that is under way, and refuses another beside it", async (t) => {
  const { done, asked } = run(
    {},
    "root",
    () => ({ rotation: under("x", "switched") }),
    () => ({ last: ended("x", "rotated") }),
  );
  t.is(await done, 0);
  t.deepEqual(asked, []);
  const other = run({}, "intermediate", () => ({ rotation: under("x", "staged") }));
  await t.throwsAsync(other.done, { message: /a rotation of the root is under way/ });
  await t.throwsAsync(run({}, null, () => ({})).done, { message: /say what/ });
  await t.throwsAsync(run({ timeout: "soon" }, "root", () => ({})).done, { message: /as a time/ });
});

test("ca rotate --abort goes back, and --status shows what there is", async (t) => {
  const { done, asked, said } = run(
    { abort: true },
    null,
    () => ({ rotation: under("x", "staged") }),
    () => ({ rotation: under("x", "retired", { isAborting: true }) }),
    () => ({ last: ended("x", "aborted") }),
  );
  t.is(await done, 0);
  t.like(asked, [{ action: "abort", of: "root" }]);
  t.regex(said.join(""), /the root that was given up is gone/);
  await t.throwsAsync(run({ abort: true }, null, () => ({})).done, { message: /no rotation/ });
  const status = run({ status: true }, null, () => ({
    rotation: under("x", "staged", { waiting }),
  }));
  t.is(await status.done, 0);
  t.regex(
    status.said.join(""),
    /custody {7}managed: Secret .*, with the root's key, keys not wrapped\nroot {10}a{16}/,
  );
  t.regex(status.said.join(""), /waits for a\/1/);
  const json = run({ status: true, output: "json" }, null, () => ({ last: ended("x", "aborted") }));
  await json.done;
  t.like(JSON.parse(json.said.join("")) as object, { last: { id: "x" }, isDriven: true });
});
