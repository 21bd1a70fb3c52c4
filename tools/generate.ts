// Writes api/gen from the schemas; with --check it only tells whether what is checked in is still
// what the schemas say. buf and the plugin are those that package.json pins; nothing is fetched.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const generated = path.join(root, "api", "gen");

if (process.argv.includes("--check")) check();
else runBuf(["generate", "--clean"]);

function check(): void {
  runBuf(["lint"]);
  const directory = mkdtempSync(path.join(tmpdir(), "signet-generate-"));
  try {
    runBuf(["generate", "--output", directory]);
    const fresh = readTree(path.join(directory, "api", "gen"));
    const kept = readTree(generated);
    const differing = [...new Set([...fresh.keys(), ...kept.keys()])].filter(
      (name) => fresh.get(name) !== kept.get(name),
    );
    if (differing.length === 0) return;
    process.stderr.write(
      `api/gen differs from the schemas: ${differing.join(", ")}\nRun: npm run generate\n`,
    );
    process.exitCode = 1;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function readTree(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
  return new Map(
    names.sort().map((name) => [name, readFileSync(path.join(directory, name), "utf8")]),
  );
}

/** buf finds the plugin by its path from the root. */
function runBuf(args: readonly string[]): void {
  execFileSync(path.join(root, "node_modules", ".bin", "buf"), args, {
    cwd: root,
    stdio: "inherit",
  });
}
