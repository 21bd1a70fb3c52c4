import test from "ava";
import { ApplyError, applyRules } from "./apply.ts";
import type { ApplyErrorCode, CommandResult, RunCommand } from "./apply.ts";
import { readInvocation } from "./config.ts";

const { config } = readInvocation([], {});

/** A machine with both tables; answers of `broken` win. Keeps what was restored, as the kernel would. */
function machine(broken: Partial<Record<string, CommandResult>> = {}): {
  run: RunCommand;
  readonly calls: string[];
} {
  const tables = new Map<string, string>();
  const calls: string[] = [];
  const run: RunCommand = (program, _parameters, input) => {
    calls.push(program);
    const failure = broken[program];
    if (failure !== undefined) return failure;
    const family = program.slice(0, program.indexOf("-"));
    if (program.endsWith("-restore")) {
      tables.set(family, input.replaceAll(/^-I (\S+) 1 /gm, "-A $1 "));
    }
    return { exitCode: 0, stdout: tables.get(family) ?? "", stderr: "" };
  };
  return { run, calls };
}

function failed(stderr: string, exitCode: number | null = 4): CommandResult {
  return { exitCode, stdout: "", stderr };
}

test("applyRules writes both families once and finds nothing to do the second time", (t) => {
  const { run, calls } = machine();
  const changed = (outcome: "changed" | "unchanged"): object[] =>
    (["ipv4", "ipv6"] as const).map((family) => ({ family, outcome }));
  t.deepEqual(applyRules(config, true, run), changed("changed"));
  t.is(calls.filter((program) => program.endsWith("-restore")).length, 2);
  t.deepEqual(applyRules(config, true, run), changed("unchanged"));
  t.is(calls.filter((program) => program.endsWith("-restore")).length, 2);
});

test("applyRules needs no IPv6 tables where the kernel has no IPv6", (t) => {
  const { run, calls } = machine();
  t.deepEqual(applyRules(config, false, run)[1], { family: "ipv6", outcome: "no_ipv6_in_kernel" });
  t.false(calls.some((program) => program.startsWith("ip6")));
});

const tableMissing = failed("ip6tables-save: can't initialize ip6tables table `nat'");

const refusals: readonly [string, string, CommandResult, ApplyErrorCode][] = [
  ["iptables is missing", "iptables-save", failed("", null), "iptables_missing"],
  ["ip6tables is missing", "ip6tables-save", failed("", null), "iptables_missing"],
  [
    "it is not root",
    "iptables-save",
    failed("Could not fetch rule set generation id: Permission denied (you must be root)"),
    "not_permitted",
  ],
  ["NET_ADMIN is missing", "iptables-save", failed("Operation not permitted"), "not_permitted"],
  ["the kernel lacks IPv6 nat", "ip6tables-save", tableMissing, "kernel_unsupported"],
];

for (const [title, program, result, code] of refusals) {
  test(`applyRules writes nothing when ${title}`, (t) => {
    const { run, calls } = machine({ [program]: result });
    const error = t.throws(() => applyRules(config, true, run), { instanceOf: ApplyError });
    t.is(error.code, code);
    t.not(error.next, "");
    t.deepEqual(
      calls.filter((each) => each.endsWith("-restore")),
      [],
    );
  });
}

for (const [title, stderr, code] of [
  ["lacks the owner match", "Extension owner revision 0 not supported", "kernel_unsupported"],
  ["lacks the target", "No chain/target/match by that name", "kernel_unsupported"],
  ["says something new", "line 4 failed: flux inverted", "rules_refused"],
] as const) {
  test(`applyRules says ${code} when the kernel ${title}`, (t) => {
    const { run } = machine({ "iptables-restore": failed(stderr) });
    const error = t.throws(() => applyRules(config, true, run), { instanceOf: ApplyError });
    t.is(error.code, code);
    t.true(error.message.includes(stderr));
  });
}

test("applyRules leaves IPv6 open only when told so, and only for want of the table", (t) => {
  const open = { ...config, unsafeSkipIpv6: true };
  const without = machine({ "ip6tables-save": tableMissing });
  t.deepEqual(applyRules(open, true, without.run)[1], {
    family: "ipv6",
    outcome: "skipped_unsafe",
  });
  const forbidden = machine({ "ip6tables-save": failed("Permission denied") });
  t.throws(() => applyRules(open, true, forbidden.run), { instanceOf: ApplyError });
});

test("applyRules does not believe a restore that left other rules than it wrote", (t) => {
  const { run } = machine();
  const lying: RunCommand = (program, parameters, input) =>
    run(program, parameters, input.replace("--to-ports 4000", "--to-ports 4444"));
  const error = t.throws(() => applyRules(config, true, lying), { instanceOf: ApplyError });
  t.is(error.code, "rules_not_in_force");
});
