// `npm run check`: every gate that needs no running mesh, one line each, all of them even when one
// fails. `--fix` lets the formatter and the linter mend what they can.
import { spawnSync } from "node:child_process";

const fix = process.argv.includes("--fix");

const gates: readonly { readonly name: string; readonly command: readonly string[] }[] = [
  { name: "format", command: fix ? ["oxfmt", "."] : ["oxfmt", "--check", "."] },
  { name: "lint", command: ["oxlint", "--type-aware", ...(fix ? ["--fix"] : [])] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "dead code", command: ["knip"] },
  { name: "schemas", command: ["node", "tools/generate.ts", "--check"] },
  { name: "tidy", command: ["node", "node_modules/.bin/ava", "tools/tidy.test.ts"] },
];

let failed = 0;
for (const gate of gates) {
  const [program = "", ...args] = gate.command;
  const started = performance.now();
  const done = spawnSync(program, args, { encoding: "utf8" });
  const passed = done.status === 0;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${passed ? "ok    " : "FAILED"} ${gate.name} (${seconds} s)\n`);
  if (passed) continue;
  failed += 1;
  process.stdout.write(`${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}\n`);
}
process.stdout.write(`check: ${gates.length - failed} of ${gates.length} gates passed\n`);
process.exitCode = failed === 0 ? 0 : 1;
