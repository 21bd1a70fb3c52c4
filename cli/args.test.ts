import test from "ava";
import { readArguments, UsageError } from "./args.ts";
import type { Invocation } from "./args.ts";
import { commandTree, leaves } from "./command-tree.ts";
import { actions } from "./commands/actions.ts";

const context = { version: "1.2.3", width: 90 };

function read(...words: string[]): Invocation {
  const result = readArguments(commandTree, words, context);
  if (result.kind !== "run") throw new Error(`help instead of a command: ${result.text}`);
  return result;
}

function help(...words: string[]): string {
  const result = readArguments(commandTree, words, context);
  if (result.kind !== "help") throw new Error("a command instead of help");
  return result.text;
}

test("readArguments finds the command, its words and its options", (t) => {
  t.deepEqual(read("certs", "inspect", "app-a/x", "--pem"), {
    kind: "run",
    path: "certs inspect",
    words: { source: ["app-a/x"] },
    options: { output: "table", pem: true },
  });
});

for (const words of [
  ["-o", "json", "certs", "list"],
  ["certs", "-o", "json", "list"],
  ["certs", "list", "-o", "json"],
  ["certs", "list", "--output=json"],
]) {
  test(`readArguments takes global options anywhere: ${words.join(" ")}`, (t) => {
    t.is(read(...words).options["output"], "json");
  });
}

test("readArguments leaves what stands after -- to the pod's command", (t) => {
  const line = "local exec -c proxy app-a -- client --json -o x --help";
  const { words, options } = read(...line.split(" "));
  t.deepEqual(words["command"], ["client", "--json", "-o", "x", "--help"]);
  t.deepEqual(options, { output: "table", container: "proxy" });
});

test("readArguments says where -- belongs when a pod's command has dashes", (t) => {
  const error = t.throws(() => read("local", "exec", "app-a", "id", "-u"), {
    instanceOf: UsageError,
    message: 'Cannot run signet: unknown option "-u"',
  });
  t.is(error.next, "Put -- before the command: signet local exec POD -- COMMAND...");
});

test("readArguments refuses --detach beside --check, which it would have to leave out", (t) => {
  t.throws(() => read("local", "up", "--check", "--detach"), {
    instanceOf: UsageError,
    message: /"--detach" cannot be used with option "--check"/,
  });
  t.true(read("local", "up", "--detach").options["detach"]);
});

for (const other of ["--storage=fast", "--storage-size=4Gi"]) {
  test(`readArguments refuses ${other} beside --no-storage`, (t) => {
    t.throws(() => read("install", other, "--no-storage"), {
      instanceOf: UsageError,
      message: /cannot be used with option "--no-storage"/,
    });
  });
}

test("readArguments takes --no-storage for a switch of its own, set only when given", (t) => {
  t.deepEqual(read("install").options, { output: "table" });
  t.deepEqual(read("install", "--no-storage").options, { output: "table", "no-storage": true });
  t.is(read("install", "--storage", "fast").options["storage"], "fast");
});

test("readArguments takes no word or several where they are optional", (t) => {
  t.deepEqual(read("inject").words["files"], []);
  t.deepEqual(read("inject", "-").words["files"], ["-"]);
  t.deepEqual(read("inject", "a", "b").words["files"], ["a", "b"]);
  const error = t.throws(() => read("inject", "--bundel", "x"), { instanceOf: UsageError });
  t.is(error.next, 'See "signet inject --help"');
});

test("readArguments takes - as a word", (t) => {
  t.deepEqual(read("certs", "inspect", "-").words["source"], ["-"]);
});

test("readArguments takes help as a word, for all or for one command", (t) => {
  t.is(help("help"), help("--help"));
  t.is(help("help", "certs", "list"), help("certs", "list", "--help"));
  t.is(help("help", "local"), help("local", "-h"));
});

for (const line of ["frobnicate --help", "help frobnicate", "-o json certs frobnicate -h"]) {
  test(`readArguments has no help for a command that there is not: ${line}`, (t) => {
    t.throws(() => read(...line.split(" ")), {
      instanceOf: UsageError,
      message: /unknown command "frobnicate"/,
    });
  });
}

test("readArguments knows a command's name behind options with values", (t) => {
  t.is(
    help("--state", "/run/x", "certs", "-o", "json", "list", "-h"),
    help("help", "certs", "list"),
  );
});

test("readArguments answers --version and --help", (t) => {
  t.is(help("--version"), "1.2.3\n");
  t.regex(help(), /Usage: signet/);
});

for (const { path, command } of leaves()) {
  test(`readArguments help of "${path}" teaches: what, usage, examples`, (t) => {
    const text = help(...path.split(" "), "--help");
    t.true(text.includes(command.summary.slice(0, 40)));
    t.regex(text, /^Usage: signet /);
    for (const example of command.examples ?? []) t.true(text.includes(example.command));
    t.true(text.split("\n").every((line) => line.length <= 120));
  });
  test(`readArguments has an action for "${path}", and examples that it can read`, (t) => {
    t.is(typeof actions[path], "function");
    for (const example of command.examples ?? []) {
      if (!example.command.startsWith("signet ")) continue;
      const words = example.command
        .split(/ [|>] /)[0]!
        .split(" ")
        .slice(1);
      t.notThrows(() => readArguments(commandTree, words, context));
    }
  });
}

test("actions are for commands that exist", (t) => {
  t.deepEqual(
    Object.keys(actions).sort(),
    leaves()
      .map(({ path }) => path)
      .sort(),
  );
});

for (const [words, message, next] of [
  [["nope"], 'Cannot run signet: unknown command "nope"', 'See "signet --help"'],
  [
    ["certs", "lst"],
    'Cannot run signet: unknown command "lst" (Did you mean list?)',
    'See "signet certs --help"',
  ],
  [["certs"], 'Cannot run signet: a command of "certs" is missing', 'See "signet certs --help"'],
  [
    ["strict", "enforce"],
    'Cannot run signet: missing required argument "namespace"',
    'See "signet strict enforce --help"',
  ],
] as const) {
  test(`readArguments refuses "${words.join(" ")}"`, (t) => {
    const error = t.throws(() => read(...words), { instanceOf: UsageError, message });
    t.is(error?.next, next);
    t.is(error?.code, "usage");
  });
}

for (const words of [
  ["certs", "list", "-o", "xml"],
  ["strict", "status", "extra"],
  ["certs", "list", "--unknown"],
  ["certs", "inspect"],
  ["completion", "tcsh"],
  ["local", "exec", "pod"],
  ["local", "logs"],
  ["--state"],
]) {
  test(`readArguments refuses "${words.join(" ")}" with help to turn to`, (t) => {
    const error = t.throws(() => read(...words), { instanceOf: UsageError });
    t.regex(error?.next ?? "", /^See "signet.* --help"$/);
    t.notRegex(error?.message ?? "", /error:|'/);
  });
}
