// The other end of the control socket, for the command line and for tests.
import { request } from "node:http";
import { LocalError } from "./objects.ts";
import type {
  ContainerRequest,
  ExecRequest,
  ExecResult,
  FailureBody,
  ObjectReference,
  Progress,
  Status,
} from "./protocol.ts";

interface CallOptions {
  readonly body?: string;
  /** Takes the answer as it comes. */
  readonly onText?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export class LocalClient {
  readonly #socketPath: string;

  /** Connects with each call; a mesh that is not running fails the call, not this. */
  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.#call("GET", "/status")) as Status;
  }

  /** Objects as they are in force. */
  async objects(kind: string): Promise<readonly unknown[]> {
    const answer = await this.#call("GET", `/objects?kind=${encodeURIComponent(kind)}`);
    return JSON.parse(answer) as unknown[];
  }

  /** YAML or JSON, several documents; resolves with the keys applied, once pods have started. */
  async apply(text: string): Promise<readonly string[]> {
    const answer = await this.#call("POST", "/apply", { body: text });
    return (JSON.parse(answer) as { applied: string[] }).applied;
  }

  async delete(reference: ObjectReference): Promise<boolean> {
    const answer = await this.#call("POST", "/delete", { body: JSON.stringify(reference) });
    return (JSON.parse(answer) as { deleted: boolean }).deleted;
  }

  /**
   * Runs a command in a pod as its application's user; its working directory is the checkout. Ends it
   * when the signal aborts, and rejects with its reason.
   */
  async exec(call: ExecRequest, signal?: AbortSignal): Promise<ExecResult> {
    const body = JSON.stringify(call);
    return JSON.parse(await this.#call("POST", "/exec", { body, signal })) as ExecResult;
  }

  /** Program and arguments that do the same on the streams of whoever (root, here) runs them. */
  async entry(call: ExecRequest): Promise<readonly string[]> {
    const answer = await this.#call("POST", "/entry", { body: JSON.stringify(call) });
    return (JSON.parse(answer) as { command: string[] }).command;
  }

  /** Stops (SIGTERM), kills (SIGKILL) or starts a container; a stopped one stays stopped. */
  async container(call: ContainerRequest): Promise<void> {
    await this.#call("POST", "/container", { body: JSON.stringify(call) });
  }

  /** The last lines of a container, the application's by default. */
  logs(pod: string, options: { container?: string; tail?: number } = {}): Promise<string> {
    const query = new URLSearchParams({ pod, tail: String(options.tail ?? 200) });
    if (options.container !== undefined) query.set("container", options.container);
    return this.#call("GET", `/logs?${query.toString()}`);
  }

  /** Prometheus text of a pod's sidecar. */
  metrics(pod: string): Promise<string> {
    return this.#call("GET", `/metrics?pod=${encodeURIComponent(pod)}`);
  }

  /** JSON text of the controller's read API: /v1/certificates, /v1/proxies, /v1/policies. */
  controller(path: string): Promise<string> {
    return this.#call("GET", `/controller?path=${encodeURIComponent(path)}`);
  }

  async shutdown(): Promise<void> {
    await this.#call("POST", "/shutdown");
  }

  /** Hears of each step until the mesh is up or has failed. */
  async watchProgress(onProgress: (progress: Progress) => void): Promise<void> {
    let held = "";
    const onText = (text: string): void => {
      const lines = (held + text).split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) onProgress(JSON.parse(line) as Progress);
    };
    await this.#call("GET", "/events", { onText });
  }

  #call(
    method: string,
    path: string,
    { body = "", onText, signal }: CallOptions = {},
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socketPath, method, path, agent: false };
      const abortable = signal === undefined ? options : { ...options, signal };
      const call = request(abortable, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          if (onText === undefined) text += part;
          else onText(part);
        });
        response.on("error", (error) => reject(signal?.aborted === true ? signal.reason : error));
        response.on("end", () => {
          if (response.statusCode === 200) resolve(text);
          else reject(failureOf(text));
        });
      });
      call.on("error", (error: NodeJS.ErrnoException) => {
        reject(signal?.aborted === true ? signal.reason : this.#notRunning(error));
      });
      call.end(body);
    });
  }

  #notRunning(error: NodeJS.ErrnoException): LocalError {
    const denied = error.code === "EACCES";
    const message = denied
      ? `Cannot open "${this.#socketPath}": not allowed`
      : `Cannot reach a mesh at "${this.#socketPath}": none is running`;
    const next = denied ? "Run this as root" : 'Start one with "signet local up"';
    return new LocalError("not_running", message, { cause: error, next });
  }
}

function failureOf(text: string): LocalError {
  try {
    const { code, message, next } = JSON.parse(text) as FailureBody;
    return new LocalError(code === "not_found" ? "not_found" : "step_failed", message, { next });
  } catch {
    return new LocalError("step_failed", text.slice(0, 300));
  }
}
