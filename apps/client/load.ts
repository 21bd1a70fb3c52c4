// Sends the requests. With a rate it is an open loop: request n is due at n/rate, whatever the answers
// do, and its latency counts from then; a server that stalls cannot hide it by being asked less.
import { Agent, request as startRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { messageText, readBody } from "../http-text.ts";
import type { LoadJob } from "./arguments.ts";
import { Tally } from "./summary.ts";
import type { Summary } from "./summary.ts";

/** Runs the job to its end, or to the abort of `stop`. Never rejects: failures are counted. */
export async function runLoad(
  job: LoadJob,
  stop: AbortSignal,
  print: (text: string) => void,
): Promise<Summary> {
  const load = new Load(job, stop, print);
  await load.run();
  return load.summary();
}

class Load {
  readonly #job: LoadJob;
  readonly #stop: AbortSignal;
  readonly #print: (text: string) => void;
  readonly #agent: Agent;
  readonly #tally = new Tally();
  readonly #startedAt = performance.now();
  readonly #done = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | null = null;
  #started = 0;
  #inFlight = 0;
  #connections = 0;

  constructor(job: LoadJob, stop: AbortSignal, print: (text: string) => void) {
    this.#job = job;
    this.#stop = stop;
    this.#print = print;
    const sockets = { maxSockets: job.concurrency, maxFreeSockets: job.concurrency };
    this.#agent = new Agent({ keepAlive: !job.newConnections, ...sockets });
  }

  async run(): Promise<void> {
    const pump = (): void => this.#pump();
    this.#stop.addEventListener("abort", pump, { once: true });
    this.#pump();
    await this.#done.promise;
    this.#stop.removeEventListener("abort", pump);
    this.#agent.destroy();
  }

  summary(): Summary {
    return this.#tally.summary(this.#job.url.href, this.#elapsedMs(), this.#connections);
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Starts all that is due and allowed, then sets the timer for the next one, or ends. */
  #pump(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#isOver() && this.#inFlight < this.#job.concurrency) {
      const waitMs = this.#dueMs(this.#started) - this.#elapsedMs();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      this.#start(this.#job.ratePerS === null ? this.#elapsedMs() : this.#dueMs(this.#started));
    }
    if (this.#inFlight === 0 && this.#isOver()) this.#done.resolve();
  }

  #isOver(): boolean {
    const { count, durationMs } = this.#job;
    return this.#stop.aborted || this.#started >= count || this.#elapsedMs() >= durationMs;
  }

  #dueMs(index: number): number {
    return this.#job.ratePerS === null ? 0 : (index * 1000) / this.#job.ratePerS;
  }

  #start(dueMs: number): void {
    this.#started += 1;
    this.#inFlight += 1;
    void this.#exchange(dueMs).then(() => {
      this.#inFlight -= 1;
      this.#pump();
    });
  }

  async #exchange(dueMs: number): Promise<void> {
    try {
      const response = await this.#send();
      const { text, bytes } = await readBody(response);
      const endMs = this.#elapsedMs();
      const status = response.statusCode ?? 0;
      const server = response.headers["server"];
      const answer = { status, server: server === undefined ? null : String(server), body: text };
      this.#tally.answered({ dueMs, endMs, bytes }, answer);
      if (this.#job.output === "show") {
        const startLine = `HTTP/${response.httpVersion} ${status} ${response.statusMessage}`;
        this.#print(`${messageText(startLine, response, text)}\n`);
      }
    } catch (error) {
      this.#tally.errored(this.#elapsedMs(), kindOf(error));
      if (this.#job.output === "show") this.#print(`${String(error)}\n`);
    }
  }

  #send(): Promise<IncomingMessage> {
    const { url, method, headers, body, timeoutMs } = this.#job;
    return new Promise((resolve, reject) => {
      const request = startRequest(url, { agent: this.#agent, method, headers });
      const timer = setTimeout(() => request.destroy(new Timeout("timeout")), timeoutMs);
      request.once("response", resolve);
      request.once("error", reject);
      request.once("close", () => clearTimeout(timer));
      request.once("socket", () => this.#countConnection(request));
      request.end(body);
    });
  }

  #countConnection(request: ClientRequest): void {
    if (!request.reusedSocket) this.#connections += 1;
  }
}

class Timeout extends Error {}

/** A reset of a reused connection may be an honest idle close that crossed the request: told apart. */
function kindOf(error: unknown): string {
  if (error instanceof Timeout) return "timeout";
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
