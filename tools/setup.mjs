// Plain JavaScript for any Node since 18: makes sure that what a command needs is there (packages
// with the pinned Node, system tools), then hands over to the pinned Node. Costs nothing when all
// is in place: the lock file's digest is the stamp.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
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
  "test:cluster": { run: [["test/cluster/main.ts"]] },
  "test:conformance": { run: [["test/conformance/main.ts"]] },
  check: { run: [["tools/check.ts"]] },
  format: { run: [["tools/check.ts", "--fix"]] },
  fuzz: { run: [["tools/test.ts", "--fuzz"]], tools: true },
  bench: { run: [["bench/main.ts"]], tools: true },
  soak: { run: [["bench/soak/main.ts"]], tools: true },
  generate: { run: [["tools/generate.ts"]] },
};

/** A program the mesh calls, and the Debian package that has it. */
const systemTools = [
  ["iptables-restore", "iptables"],
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["tcpdump", "tcpdump"],
  ["sysctl", "procps"],
  ["setpriv", "util-linux"],
  ["openssl", "openssl"],
];
/** A library that Node 26 is linked with and a slim Debian lacks, and its package. */
const systemLibrary = ["libatomic.so.1", "libatomic1"];
const systemFolders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/** A long step says that it still runs. */
const heartbeatMs = 10_000;
/** What the child has to restore the screen before the shell shows its prompt. */
const suspendMs = 150;

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(`signet: ${text}`);
  process.exit(1);
}

/** Runs a step that may take a while, with its name and its duration; its output only when it fails. */
async function step(title, command, args) {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(1);
  say(`- ${title} ...`);
  const heartbeat = setInterval(() => say(`  still at it after ${seconds()} s`), heartbeatMs);
  const { status, output } = await outputOf(command, args);
  clearInterval(heartbeat);
  if (status !== 0) fail(`${title}: ${reasonOf(output)}${command} ended with ${status}\n${output}`);
  say(`  ${title}: done in ${seconds()} s`);
}

function outputOf(command, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (output += text));
    child.on("error", (error) => resolve({ status: error.message, output }));
    child.on("close", (status) => resolve({ status, output }));
  });
}

/** A first sentence for what goes wrong most. */
function reasonOf(output) {
  if (/EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED|Failed to fetch|Could not resolve/.test(output)) {
    return "a server cannot be reached; see that this machine has a network, then run it again. ";
  }
  return "";
}

/** npm as [program, first arguments], run by the Node given (null: whatever it is run by). */
function npmBy(node) {
  const own = process.env.npm_execpath;
  const found = own !== undefined && own.endsWith(".js") ? own : onPath("npm");
  if (found === null)
    fail("npm is missing: install Node.js with npm (Debian: apt-get install npm)");
  if (node === null && found !== own) return [found];
  return [node ?? process.execPath, realpathSync(found)];
}

async function ensurePackages() {
  const lock = readFileSync(path.join(root, "package-lock.json"));
  const digest = createHash("sha256").update(lock).digest("hex");
  if (
    existsSync(stampFile) &&
    existsSync(pinnedNode) &&
    readFileSync(stampFile, "utf8") === digest
  ) {
    return;
  }
  // Not `npm ci`: it refuses a lock file made where a registry lacks optional packages for other
  // platforms. `install` keeps to the locked versions and --no-save leaves the lock as it is.
  const install = [
    "install",
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    "--prefer-offline",
    "--fetch-retries=1",
  ];
  const [command, ...args] = npmBy(null);
  await step("Installing packages and Node 26 (npm install)", command, [...args, ...install]);
  if (!existsSync(pinnedNode)) {
    const packaged = "node_modules/node/installArchSpecificPackage.js";
    await step("Unpacking Node 26", process.execPath, [packaged]);
  }
  // npm leaves out what does not suit the Node it is run by; with the pinned one everything does.
  const version = (await outputOf(pinnedNode, ["--version"])).output.trim();
  if (version !== process.version) {
    const [again, ...more] = npmBy(pinnedNode);
    await step("Completing them for Node 26 (npm install)", again, [...more, ...install]);
  }
  mkdirSync(path.dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, digest);
}

/** Where a program is, or null. */
function onPath(program) {
  const folders = [...(process.env.PATH ?? "").split(":"), ...systemFolders];
  const folder = folders.find((each) => each !== "" && existsSync(path.join(each, program)));
  return folder === undefined ? null : path.join(folder, program);
}

/** False only where the linker's own list says so. */
async function hasLibrary(name) {
  const ldconfig = onPath("ldconfig");
  if (ldconfig === null) return true;
  const { status, output } = await outputOf(ldconfig, ["-p"]);
  return status !== 0 || output.includes(`${name} `);
}

/** Installs what is missing on the machine, or says in one sentence what to install. */
async function ensureSystem(tools) {
  const wanted = tools ? systemTools : [];
  const missing = wanted
    .filter(([program]) => onPath(program) === null)
    .map(([, debian]) => debian);
  const [library, debian] = systemLibrary;
  if (!existsSync(stampFile) && !(await hasLibrary(library))) missing.push(debian);
  if (missing.length === 0) return;
  const names = missing.join(" ");
  if (process.getuid?.() !== 0 || onPath("apt-get") === null) {
    fail(
      `missing on this machine: ${names}. Install them as root (Debian: apt-get install ${names})`,
    );
  }
  const update = await outputOf("apt-get", ["update", "-qq"]);
  if (update.status !== 0) say(`  apt-get update: ${update.output.trim()}`);
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...missing];
  await step(`Installing ${names} (apt-get)`, "apt-get", install);
}

/** Runs the pinned Node on `args` with this terminal, passes signals on, and ends as it ends. */
export async function runPinned(args) {
  await ensureSystem(false);
  await ensurePackages();
  runPinnedNow(args);
}

function runPinnedNow(args) {
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
  // The child first gives the terminal back as it was.
  process.on("SIGTSTP", () => setTimeout(() => process.kill(process.pid, "SIGSTOP"), suspendMs));
  let isHungUp = false;
  process.on("SIGHUP", () => (isHungUp = true));
  child.on("error", (error) => fail(`cannot run the pinned Node: ${error.message}`));
  child.on("exit", (code, signal) => {
    // Node aborts when it cannot put a terminal right that is gone.
    if (isHungUp) process.kill(process.pid, "SIGKILL");
    process.exit(signal === null ? code : 128 + (constants.signals[signal] ?? 0));
  });
}

async function main([name, ...rest]) {
  const command = commands[name];
  if (command === undefined)
    fail(`no command "${name}": one of ${Object.keys(commands).join(" ")}`);
  await ensureSystem(command.tools === true);
  await ensurePackages();
  const [script] = command.run;
  runPinnedNow([...script, ...rest]);
}

if (
  process.argv[1] !== undefined &&
  path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  await main(process.argv.slice(2));
}
