// Plain JavaScript for any Node since 18: makes sure that what a command needs is there (packages
// with the pinned Node, system tools), then hands over to the pinned Node. Costs nothing when all
// is in place: the lock file's digest is the stamp.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const pinnedNode = path.join(root, "node_modules/node/bin/node");
const stampFile = path.join(root, "node_modules/.signet-lock");

/** Commands of package.json: what each runs with the pinned Node, and what it needs on the machine. */
const commands = {
  start: { run: [["cli/main.ts", "local", "up"]], tools: true },
  test: { run: [["tools/test.ts"]], tools: true },
  check: { run: [["tools/check.ts"]] },
  format: { run: [["tools/check.ts", "--fix"]] },
  fuzz: { run: [["tools/test.ts", "--fuzz"]], tools: true },
  bench: { run: [["bench/main.ts"]], tools: true },
  generate: { run: [["tools/generate.ts"]] },
};

/** A program the mesh calls, and the Debian package that has it. */
const systemTools = [
  ["iptables-restore", "iptables"],
  ["ip", "iproute2"],
  ["tcpdump", "tcpdump"],
  ["setpriv", "util-linux"],
  ["openssl", "openssl"],
];

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(`signet: ${text}`);
  process.exit(1);
}

/** Runs a step that may take a while, with its name and its duration; its output only when it fails. */
function step(title, command, args) {
  const started = Date.now();
  say(`- ${title} ...`);
  const done = spawnSync(command, args, { cwd: root, encoding: "utf8", env: stepEnvironment() });
  if (done.error !== undefined) fail(`${title}: cannot run ${command}: ${done.error.message}`);
  if (done.status !== 0) {
    fail(`${title}: ${command} ended with ${done.status}\n${done.stdout}${done.stderr}`);
  }
  say(`  ${title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function stepEnvironment() {
  return { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
}

/** npm beside the Node that runs this file, or the one on the PATH. */
function npm() {
  const own = process.env.npm_execpath;
  return own !== undefined && own.endsWith(".js") ? [process.execPath, own] : ["npm"];
}

function ensurePackages() {
  const lock = readFileSync(path.join(root, "package-lock.json"));
  const digest = createHash("sha256").update(lock).digest("hex");
  if (
    existsSync(stampFile) &&
    existsSync(pinnedNode) &&
    readFileSync(stampFile, "utf8") === digest
  ) {
    return;
  }
  const [command, ...args] = npm();
  // Not `npm ci`: it refuses a lock file made where a registry lacks optional packages for other
  // platforms. `install` keeps to the locked versions and --no-save leaves the lock as it is.
  step("Installing packages and Node 26 (npm install)", command, [
    ...args,
    "install",
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  if (!existsSync(pinnedNode)) {
    const [packaged] = ["node_modules/node/installArchSpecificPackage.js"];
    step("Unpacking Node 26", process.execPath, [packaged]);
  }
  mkdirSync(path.dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, digest);
}

function onPath(program) {
  const folders = [
    ...(process.env.PATH ?? "").split(":"),
    "/usr/sbin",
    "/sbin",
    "/usr/bin",
    "/bin",
  ];
  return folders.some((folder) => folder !== "" && existsSync(path.join(folder, program)));
}

function ensureTools() {
  const missing = systemTools.filter(([program]) => !onPath(program)).map(([, debian]) => debian);
  if (missing.length === 0) return;
  const names = [...new Set(missing)].join(" ");
  const root = process.getuid?.() === 0;
  if (!root || !onPath("apt-get")) {
    fail(`missing on this machine: ${names}. Install them (Debian: apt-get install ${names})`);
  }
  const update = spawnSync("apt-get", ["update", "-qq"], {
    encoding: "utf8",
    env: stepEnvironment(),
  });
  if (update.status !== 0) say(`  apt-get update: ${update.stderr.trim()}`);
  step(`Installing ${names} (apt-get)`, "apt-get", [
    "install",
    "-y",
    "-qq",
    "--no-install-recommends",
    ...names.split(" "),
  ]);
}

/** Runs the pinned Node on `args` with this terminal, passes signals on, and ends as it ends. */
export function runPinned(args, { dependencies }) {
  if (dependencies) ensurePackages();
  // Without root the tools in /usr/sbin are often not on the PATH; root's own shells may lack them too.
  const folders = `${path.join(root, "node_modules/.bin")}:${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  const [script, ...rest] = args;
  const child = spawn(
    pinnedNode,
    ["--disable-warning=ExperimentalWarning", path.join(root, script), ...rest],
    { stdio: "inherit", env: { ...process.env, PATH: folders } },
  );
  const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"];
  // A terminal sends Ctrl-C to the whole group: the child has it already, this process only waits.
  for (const signal of forwarded) {
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("error", (error) => fail(`cannot run the pinned Node: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exit(signal === null ? code : 128 + (constants.signals[signal] ?? 0));
  });
}

function main([name, ...rest]) {
  const command = commands[name];
  if (command === undefined)
    fail(`no command "${name}": one of ${Object.keys(commands).join(" ")}`);
  ensurePackages();
  if (command.tools === true) ensureTools();
  const [script] = command.run;
  runPinned([...script, ...rest], { dependencies: false });
}

if (
  process.argv[1] !== undefined &&
  path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  main(process.argv.slice(2));
}
