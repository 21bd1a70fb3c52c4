import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { commandTree } from "../command-tree.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { places, valueOptionNames } from "./table.ts";
import { zshCompletion } from "./zsh.ts";

const stub = `#!/bin/sh
[ "$1 $2" = "complete pod" ] && printf 'app-a/app-a-1\\napp-b/app-b-v1-2\\n'
[ "$1 $2" = "complete namespace" ] && printf 'app-a\\napp-b\\n'
[ "$1 $2" = "complete identity" ] && printf 'app-a/app-a\\napp-b/app-b\\n'
exit 0
`;

/** What a real bash offers after these words; the last one is being typed. */
function complete(...words: string[]): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-completion-"));
  try {
    writeFileSync(path.join(folder, "signet"), stub, { mode: 0o755 });
    writeFileSync(path.join(folder, "local.pem"), "");
    const script = `${bashCompletion(commandTree)}
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _signet
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const PATH = `${folder}:${process.env["PATH"]}`;
    const output = execFileSync("bash", ["--norc", "-c", script, "bash", "signet", ...words], {
      encoding: "utf8",
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
      env: { PATH },
    });
    return output.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("bashCompletion is a script that bash can load without a word", (t) => {
  const script = bashCompletion(commandTree);
  t.is(spawnSync("bash", ["--norc", "-n"], { input: script }).status, 0);
  const loaded = spawnSync(
    "bash",
    ["--norc", "-c", `eval "$1"; complete -p signet`, "bash", script],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  t.is(loaded.stdout, "complete -F _signet signet\n");
  t.is(loaded.stderr, "");
});

for (const [words, offered] of [
  [
    [""],
    [
      "local",
      "certs",
      "ca",
      "log",
      "identity",
      "federation",
      "strict",
      "install",
      "inject",
      "uninstall",
      "tour",
      "check",
      "completion",
      "version",
    ],
  ],
  [["c"], ["certs", "ca", "check", "completion"]],
  [
    ["certs", ""],
    ["list", "inspect", "who", "watch", "diff"],
  ],
  [["--state", "/x", "certs", "l"], ["list"]],
  [["-o", "json", "strict", "e"], ["enforce"]],
  [
    ["certs", "list", "-o", ""],
    ["table", "json"],
  ],
  [["certs", "list", "--output", "j"], ["json"]],
  [
    ["ca", ""],
    ["rotate", "request", "install"],
  ],
  [["ca", "rotate", "r"], ["root"]],
  [
    ["certs", "list", "-n", ""],
    ["app-a", "app-b"],
  ],
  [["certs", "inspect", "app-b"], ["app-b/app-b-v1-2"]],
  [["certs", "inspect", "lo"], ["local.pem"]],
  [
    ["strict", "permit", ""],
    ["app-a", "app-b"],
  ],
  [
    ["local", "up", "--"],
    [
      "--check",
      "--detach",
      "--trust-domain",
      "--manifests",
      "--output",
      "--state",
      "--context",
      "--kubeconfig",
      "--help",
    ],
  ],
  [["local", "exec", "app-a/"], ["app-a/app-a-1"]],
  [["local", "exec", "app-a/app-a-1", "--", "lo"], ["local.pem"]],
  [
    ["completion", ""],
    ["bash", "zsh", "fish"],
  ],
  [["check", ""], []],
  [["in"], ["install", "inject"]],
  [["inject", "lo"], ["local.pem"]],
  [["inject", "--bundle", "lo"], ["local.pem"]],
  [
    ["install", "--st"],
    ["--storage", "--storage-size", "--state"],
  ],
  [["uninstall", "--d"], ["--dry-run"]],
  [
    ["identity", ""],
    ["list", "suspend", "resume"],
  ],
  [
    ["identity", "suspend", ""],
    ["app-a/app-a", "app-b/app-b"],
  ],
  [
    ["nope", ""],
    [
      "local",
      "certs",
      "ca",
      "log",
      "identity",
      "federation",
      "strict",
      "install",
      "inject",
      "uninstall",
      "tour",
      "check",
      "completion",
      "version",
    ],
  ],
] as const) {
  test(`bashCompletion offers what may follow "signet ${words.join(" ")}"`, (t) => {
    t.deepEqual(complete(...words), [...offered]);
  });
}

test("every script knows every command and option of the tree", (t) => {
  const scripts = [bashCompletion(commandTree), zshCompletion(commandTree)];
  for (const { path: place, options } of places(commandTree)) {
    for (const script of scripts) {
      t.true(script.includes(`"${place}"`));
      for (const { long } of options) t.true(script.includes(long));
    }
  }
  const fish = fishCompletion(commandTree);
  for (const { options } of places(commandTree)) {
    for (const { long } of options) t.true(fish.includes(` -l ${long.slice(2)}`));
  }
});

test("no script names a hidden command as something to choose", (t) => {
  t.false(places(commandTree).some(({ path: place }) => place === "complete"));
  t.false(places(commandTree)[0]!.commands.some(({ name }) => name === "complete"));
});

test("valueOptionNames are the options whose next word is no command", (t) => {
  const names = valueOptionNames(places(commandTree));
  t.deepEqual(
    ["-o", "--output", "--state", "-n", "-c", "--tail"].filter((name) => !names.includes(name)),
    [],
  );
  t.false(names.includes("--check"));
});

for (const [shell, script] of [
  ["zsh", zshCompletion(commandTree)],
  ["fish", fishCompletion(commandTree)],
] as const) {
  test(`${shell}Completion is balanced text, and loads where there is a ${shell}`, (t) => {
    t.is(script.split("{").length, script.split("}").length);
    const folder = mkdtempSync(path.join(tmpdir(), "signet-completion-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(path.join(folder, "script"), script);
    const ran = spawnSync(shell, ["-n", path.join(folder, "script")], { encoding: "utf8" });
    // Not every machine has it; where it is, it must take the script.
    if (ran.error === undefined) t.is(ran.status, 0, ran.stderr);
  });
}
