// The world over a Unix socket: GET /watch, one JSON object a line. The local runtime serves it where
// a cluster has an API server. A lost connection is made again, with backoff; meanwhile, and until the
// new list is complete, all that is known stays in force.
import { request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Backoff } from "#/lib/backoff.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { WorldEvent } from "./events.ts";
import { LineReader, lineBytesMax } from "./lines.ts";
import { Relist } from "./relist.ts";

export interface WorldSocketOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onEvent: (event: WorldEvent) => void;
}

const backoff: Backoff = { baseMs: 100, maxMs: 5_000 };
/** For the answer's head; the list itself may take long. */
const answerMs = 5_000;

/** Watches until disposed of. */
export function watchWorldSocket(options: WorldSocketOptions): AsyncDisposable {
  return new WorldSocket(options);
}

class WorldSocket implements AsyncDisposable {
  readonly #options: WorldSocketOptions;
  readonly #relist = new Relist();
  #request: ClientRequest | null = null;
  #cancelTimer: () => void = () => {};
  #attempt = 0;
  #isClosed = false;

  constructor(options: WorldSocketOptions) {
    this.#options = options;
    this.#connect();
  }

  // oxlint-disable-next-line typescript/require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#request?.destroy();
  }

  #connect(): void {
    const { socketPath, clock } = this.#options;
    const attempt = request({ socketPath, path: "/watch", agent: false });
    this.#request = attempt;
    this.#cancelTimer = clock.after(answerMs, () =>
      attempt.destroy(new Error("no answer in time")),
    );
    attempt.on("response", (response) => this.#read(attempt, response));
    attempt.on("error", (error) => this.#lost(attempt, messageOf(error)));
    attempt.on("close", () => this.#lost(attempt, "connection was closed"));
    attempt.end();
  }

  #read(attempt: ClientRequest, response: IncomingMessage): void {
    this.#cancelTimer();
    if (response.statusCode !== 200) {
      attempt.destroy(new Error(`answer has status ${response.statusCode}`));
      return;
    }
    this.#relist.begin();
    const lines = new LineReader({
      onLine: (text) => this.#line(text),
      onTooLong: () => {
        this.#deliver(this.#relist.unreadable(`line is longer than ${lineBytesMax} bytes`));
      },
    });
    response.on("data", (chunk: Buffer) => {
      if (attempt === this.#request) lines.push(chunk);
    });
    response.on("error", (error) => this.#lost(attempt, messageOf(error)));
    response.on("end", () => attempt.destroy());
  }

  #line(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (thrown) {
      return this.#deliver(this.#relist.unreadable(messageOf(thrown)));
    }
    this.#deliver(this.#relist.line(value));
  }

  #deliver(events: readonly WorldEvent[]): void {
    for (const event of events) {
      if (event.type === "synced") this.#attempt = 0;
      if (!this.#isClosed) this.#options.onEvent(event);
    }
  }

  /** Once for each connection, however it was lost. */
  #lost(attempt: ClientRequest, reason: string): void {
    if (attempt !== this.#request) return;
    this.#request = null;
    this.#cancelTimer();
    if (this.#isClosed) return;
    this.#options.onEvent({ type: "disconnected", reason });
    const delayMs = backoffDelayMs(backoff, this.#attempt, this.#options.random());
    this.#attempt += 1;
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#connect());
  }
}
