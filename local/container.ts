// One container: a process in its pod's namespaces, its output kept (bounded) and written to a file,
// ended in two steps.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import type { WriteStream } from "node:fs";
import type { Clock } from "#/lib/clock.ts";
import { launchCommand } from "./launch-script.ts";
import type { LaunchPlan } from "./launch-script.ts";

const linesKept = 400;
const lineCharactersMax = 8192;

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface ContainerStart {
  readonly plan: LaunchPlan;
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly onExit: (exit: ContainerExit) => void;
  readonly onLine: (line: string) => void;
}

const basePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class Container {
  readonly lines: string[] = [];
  exit: ContainerExit | null = null;
  readonly #child: ChildProcess;
  readonly #log: WriteStream;
  readonly #ended: Promise<void>;

  constructor(start: ContainerStart) {
    const [program = "", ...args] = launchCommand(start.plan);
    this.#log = createWriteStream(start.logFile, { flags: "a", mode: 0o600 });
    this.#log.on("error", () => {});
    this.#child = spawn(program, args, {
      env: { PATH: basePath, HOME: "/tmp", ...start.environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      this.#read(stream, start.onLine);
    }
    this.#ended = new Promise((resolve) => {
      const over = (code: number | null, signal: string | null): void => {
        if (this.exit !== null) return;
        this.exit = { code, signal };
        this.#log.end();
        start.onExit(this.exit);
        resolve();
      };
      this.#child.on("exit", over);
      this.#child.on("error", () => over(127, null));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  signal(name: NodeJS.Signals): void {
    if (this.exit === null) this.#child.kill(name);
  }

  /** SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs: number, clock: Clock): Promise<void> {
    if (this.exit !== null) return;
    this.signal("SIGTERM");
    const cancel = clock.after(graceMs, () => this.signal("SIGKILL"));
    await this.#ended;
    cancel();
  }

  #read(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
    let held = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      this.#log.write(text);
      const parts = (held + text).split("\n");
      held = (parts.pop() ?? "").slice(0, lineCharactersMax);
      for (const line of parts) {
        this.lines.push(line.slice(0, lineCharactersMax));
        onLine(line);
      }
      if (this.lines.length > linesKept) this.lines.splice(0, this.lines.length - linesKept);
    });
    stream?.on("error", () => {});
  }
}
