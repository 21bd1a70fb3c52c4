// A real server that says what it understood of what it was sent.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** One request as the server had it. Texts have one character for each byte. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  /** What the server makes of the target's path: decoded, resolved, as an application would be told. */
  readonly path: string;
  /** Names and values in turn; names as the server hands them on. */
  readonly fields: readonly string[];
  readonly body: string;
}

export interface Origin extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** All that it was asked, in order. */
  readonly seen: Seen[];
}

export interface Program {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it will listen; null: its first line says so. */
  readonly port: number | null;
}

const startMsMax = 60_000;
const retryMs = 20;

export class ProcessOrigin implements Origin {
  readonly name: string;
  readonly seen: Seen[] = [];
  port = 0;
  readonly #child: ChildProcess;
  #said = "";

  private constructor(name: string, { command, parameters, environment }: Program) {
    this.name = name;
    const env = { ...process.env, ...environment };
    // Whoever dies, however it does, takes its servers along.
    const words = ["--pdeathsig=TERM", command, ...parameters];
    this.#child = spawn("setpriv", words, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.on("error", (error) => (this.#said += error.message));
    this.#child.stderr?.on("data", (bytes: Buffer) => (this.#said += bytes.toString()));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#line(line));
  }

  static async start(name: string, program: Program): Promise<ProcessOrigin> {
    const origin = new ProcessOrigin(name, program);
    const deadline = Date.now() + startMsMax;
    for (;;) {
      if (program.port !== null) origin.port = program.port;
      if (origin.port !== 0 && (await answers(origin.port))) return origin;
      if (origin.#child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${name} does not start: ${origin.#said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), 2000);
    await ended;
    clearTimeout(force);
  }

  #line(line: string): void {
    const value = JSON.parse(line) as Seen | { readonly port: number };
    if ("port" in value) this.port = value.port;
    else this.seen.push({ ...value, body: Buffer.from(value.body, "base64").toString("latin1") });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
