// Tilt with the users' Tiltfile, on the cluster of the rig: in a copy of the checkout, so that a test may
// edit it, with buildah in place of Docker.
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { buildahEnvironment, certificates } from "../build/buildah.ts";
import { httpRouteManifest } from "../build/gateway-api.ts";
import { run } from "../command.ts";
import type { CommandResult } from "../command.ts";
import { checkout, nodeName, rigFolder } from "../settings.ts";
import { eventually } from "./eventually.ts";

/** Of the one server that a test has at a time. */
const port = 10_360;
const commandMs = 300_000;
const endMs = 15_000;
/** All images again, and three rollouts, on a busy machine. */
const readyMs = 240_000;
/** Its builds can wait; the other tests beside them measure time. */
const gentle = ["nice", "-n", "10"] as const;
const webMode = "--web-mode=prod";

export interface TiltSite {
  /** A copy of the checkout. */
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
}

export interface RunningTilt {
  /** What it printed so far. */
  output(): string;
  /** Like clicking its button. Throws when Tilt does not take it. */
  trigger(resource: string): Promise<void>;
  /** Resolves when the resource runs, and with it all that it depends on. */
  whenReady(resource: string): Promise<void>;
  stop(): Promise<void>;
}

export async function tiltSite(): Promise<TiltSite> {
  const base = mkdtempSync(path.join(tmpdir(), "signet-tilt-"));
  const folder = path.join(base, "signet");
  const git = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const files = execFileSync("git", git, { cwd: checkout, encoding: "utf8" }).split("\0");
  for (const file of files.filter((each) => each !== "")) {
    cpSync(path.join(checkout, file), path.join(folder, file));
  }
  symlinkSync(path.join(checkout, "node_modules"), path.join(folder, "node_modules"));
  const home = path.join(base, "home");
  mkdirSync(home);
  const add = [process.execPath, path.join(rigFolder, "add-image.ts")];
  return {
    folder,
    environment: {
      ...process.env,
      ...buildahEnvironment(base),
      // Tilt keeps its state in a home; the parts of the rig are kept in the usual one.
      HOME: home,
      XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] || path.join(homedir(), ".cache"),
      TILT_DISABLE_ANALYTICS: "1",
      SIGNET_ALLOW_CONTEXT: nodeName,
      SIGNET_BUILD_WITH: "buildah",
      SIGNET_CERTIFICATES: certificates,
      SIGNET_HTTPROUTE_CRD: await httpRouteManifest(),
      SIGNET_LOAD_IMAGE: `${add.join(" ")} "$EXPECTED_REF"`,
    },
  };
}

export function removeSite(site: TiltSite): void {
  rmSync(path.dirname(site.folder), { recursive: true });
}

/** `tilt WORDS` to its end; never rejects for its exit code. */
export function tilt(site: TiltSite, words: readonly string[]): Promise<CommandResult> {
  const { folder, environment } = site;
  const [program, ...gently] = gentle;
  return run(program, [...gently, "tilt", ...words], { folder, environment, timeoutMs: commandMs });
}

/** `tilt ci`, which takes no other server's port. */
export function tiltCi(site: TiltSite): Promise<CommandResult> {
  return tilt(site, ["ci", webMode, "--port=0"]);
}

/** `tilt up` in the background; it ends with this process, however that ends. */
export function tiltUp(site: TiltSite): RunningTilt {
  const file = path.join(path.dirname(site.folder), "up.log");
  const log = openSync(file, "w");
  const up = ["tilt", "up", "--stream", webMode, `--port=${port}`];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...gentle, ...up], {
    cwd: site.folder,
    env: site.environment,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = new Promise((resolve) => child.on("close", resolve));
  const output = (): string => readFileSync(file, "utf8");
  return {
    output,
    async trigger(resource) {
      const { exitCode, stderr } = await tilt(site, ["trigger", resource, `--port=${port}`]);
      if (exitCode !== 0) throw new Error(`tilt trigger ${resource}: ${stderr}`);
    },
    async whenReady(resource) {
      await eventually(`Tilt has ${resource} up`, () => isReady(site, resource), readyMs);
    },
    async stop() {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), endMs);
      await ended;
      clearTimeout(late);
    },
  };
}

async function isReady(site: TiltSite, resource: string): Promise<true | null> {
  const get = ["get", "uiresource", resource, `--port=${port}`, "--output=json"];
  const { stdout } = await tilt(site, get);
  const { status } = JSON.parse(stdout) as { status: { runtimeStatus: string } };
  return status.runtimeStatus === "ok" ? true : null;
}

/** Writes what `edit` makes of a file of the copy. */
export function editFile(site: TiltSite, file: string, edit: (text: string) => string): void {
  const whole = path.join(site.folder, file);
  const text = readFileSync(whole, "utf8");
  const edited = edit(text);
  if (edited === text) throw new Error(`The edit changes nothing in ${file}`);
  writeFileSync(whole, edited);
}
