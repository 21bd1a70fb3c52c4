// One run of a container: a process in its pod's namespaces, ended in two steps.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { Clock } from "#/lib/clock.ts";
import { codeInside, launchCommand } from "./launch-script.ts";
import type { LaunchPlan } from "./launch-script.ts";
import { systemFolders } from "../machine.ts";
import type { Output } from "./output.ts";

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface ContainerStart {
  readonly plan: LaunchPlan;
  readonly output: Output;
  readonly clock: Clock;
  readonly onExit: (exit: ContainerExit) => void;
}

/** What enters the container runs as root: it is found, and behaves, as this machine says. */
export const rootEnvironment: Readonly<Record<string, string>> = {
  PATH: systemFolders.join(":"),
  LC_ALL: "C",
};
/** Commands that images would bring along: node, client. */
const programsInside = `${codeInside}/local/programs`;
/** How long the last words may take after the end; a child of its own may hold the pipe open. */
const lastWordsMs = 500;
const codeNotStarted = 127;

/** What a container's process has in its environment: nothing of this one's. */
export function environmentOf(own: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: `${programsInside}:${rootEnvironment["PATH"]}`, HOME: "/tmp", ...own };
}

export class Container {
  /** null while it runs. */
  exit: ContainerExit | null = null;
  /** Resolves after the exit, when its last words have been read. */
  readonly ended: Promise<void>;
  /** Resolves when its namespaces are complete, or it has ended. */
  readonly entered: Promise<void>;
  readonly #child: ChildProcess;

  constructor({ plan, output, clock, onExit }: ContainerStart) {
    const [program = "", ...args] = launchCommand(plan);
    this.#child = spawn(program, args, {
      env: rootEnvironment,
      // The last is closed by the script when all is mounted: launch-script.ts.
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      const decoder = new StringDecoder("utf8");
      stream?.on("data", (bytes: Buffer) => output.write(decoder.write(bytes)));
      stream?.on("error", () => {});
    }
    const mounted = this.#child.stdio[3] as Readable | null | undefined;
    mounted?.resume();
    this.entered = new Promise((entered) => {
      mounted?.once("close", entered);
      this.#child.once("error", () => entered());
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const over = (code: number | null, signal: string | null): void => {
      if (this.exit !== null) return;
      this.exit = { code, signal };
      let isTold = false;
      const told = (): void => {
        if (isTold) return;
        isTold = true;
        cancel();
        output.flush();
        onExit({ code, signal });
        resolve();
      };
      const cancel = clock.after(lastWordsMs, told);
      this.#child.once("close", told);
    };
    this.#child.on("exit", over);
    this.#child.on("error", (error) => {
      output.write(`${error.message}\n`);
      over(codeNotStarted, null);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(name: NodeJS.Signals): void {
    if (this.exit === null) this.#child.kill(name);
  }

  /** SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs: number, clock: Clock): Promise<void> {
    if (this.exit !== null) return this.ended;
    this.signal("SIGTERM");
    const cancel = clock.after(graceMs, () => this.signal("SIGKILL"));
    await this.ended;
    cancel();
  }
}
