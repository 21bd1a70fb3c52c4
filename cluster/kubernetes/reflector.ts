// Follows one kind for ever: list in pages, watch with bookmarks, go on from the last version after a
// stream ended, list anew only when that version is no longer kept. While the API server is away
// everything known stays in force, and it is asked again with backoff.
import type { Backoff } from "#/lib/backoff.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { KubernetesClient } from "./client.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import type { Change } from "./reflection.ts";
import { Reflection } from "./reflection.ts";

/** What every part that speaks with the API server is handed. */
export interface KubernetesParts {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** standing: the list is complete and followed. lost: it is not followed now. */
export type ReflectorState =
  | { readonly kind: "standing" }
  | { readonly kind: "lost"; readonly reason: string };

export interface ReflectorOptions extends KubernetesParts {
  /** Of the collection, as "/api/v1/pods". */
  readonly path: string;
  /** labelSelector, fieldSelector. */
  readonly query?: Readonly<Record<string, string>>;
  readonly onChange: (change: Change) => void;
  /** Said at each turn from one to the other; the first one is never "lost" before it is tried. */
  readonly onState: (state: ReflectorState) => void;
}

const backoff: Backoff = { baseMs: 200, maxMs: 5_000 };
const pageObjectsMax = 500;
const pageMs = 60_000;
/** How long the server keeps a stream open: spread, so that not all are opened anew at once. */
const streamSMin = 240;
const streamSSpread = 240;
/** A stream that stood for less was no success. */
const steadyMs = 1_000;
/** A kind that is not installed is looked for again. */
const absentMs = 10_000;
/** Looks after which objects that were known go with their kind: once may be a server that starts. */
const absentLooks = 3;

/** An `onState` that tells of losses. */
export function tellLoss(log: Log, path: string): (state: ReflectorState) => void {
  return (state) => {
    if (state.kind === "lost") log.warn("not followed", { path, reason: state.reason });
  };
}

/** Follows until disposed of. */
export function reflect(options: ReflectorOptions): AsyncDisposable {
  return new Reflector(options);
}

class Reflector implements AsyncDisposable {
  readonly #options: ReflectorOptions;
  readonly #reflection = new Reflection();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #mustList = true;
  #isStanding: boolean | null = null;
  #failures = 0;
  #looksWithout = 0;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let delayMs = 0;
      try {
        if (this.#mustList) await this.#list();
        delayMs = await this.#watch();
      } catch (thrown) {
        if (signal.aborted) return;
        delayMs = this.#failed(thrown);
      }
      if (delayMs > 0) await sleep(this.#options.clock, delayMs, signal);
    }
  }

  async #list(): Promise<void> {
    const { client, path, query } = this.#options;
    const { signal } = this.#stop;
    this.#reflection.begin();
    let next = "";
    do {
      const value = await client.call({
        method: "GET",
        path,
        query: {
          ...query,
          limit: String(pageObjectsMax),
          ...(next === "" ? {} : { continue: next }),
        },
        timeoutMs: pageMs,
        signal,
      });
      const page = this.#reflection.page(value);
      if (page === null) throw new KubernetesError("unreadable", `Cannot list ${path}: no list`);
      this.#deliver(page.changes);
      ({ next } = page);
    } while (next !== "");
    this.#deliver(this.#reflection.complete());
    this.#mustList = false;
    this.#looksWithout = 0;
    this.#say({ kind: "standing" });
  }

  /** Milliseconds to wait before the next one. */
  async #watch(): Promise<number> {
    const { client, clock, random, path, query } = this.#options;
    const streamS = Math.round(streamSMin + streamSSpread * random());
    let openedAt: number | null = null;
    await client.stream(
      {
        method: "GET",
        path,
        query: {
          ...query,
          watch: "true",
          allowWatchBookmarks: "true",
          resourceVersion: this.#reflection.version,
          timeoutSeconds: String(streamS),
        },
        signal: this.#stop.signal,
      },
      {
        onOpen: () => {
          openedAt = clock.monotonic();
          this.#say({ kind: "standing" });
        },
        onLine: (text) => this.#line(text, openedAt),
      },
    );
    const isSteady = openedAt !== null && clock.monotonic() - openedAt >= steadyMs;
    if (!isSteady) return this.#nextDelayMs();
    this.#failures = 0;
    return 0;
  }

  /** Throws KubernetesError, which ends the stream. */
  #line(text: string, openedAt: number | null): void {
    const step = this.#reflection.line(parseLine(text));
    switch (step.kind) {
      case "changes":
        if (openedAt !== null && this.#options.clock.monotonic() - openedAt >= steadyMs) {
          this.#failures = 0;
        }
        return this.#deliver(step.changes);
      case "expired":
        throw new KubernetesError("expired", "Cannot go on: the version is no longer kept");
      case "failed":
        throw new KubernetesError("unreadable", `Cannot go on: ${step.reason}`);
      default:
        return step satisfies never;
    }
  }

  /** Milliseconds to wait. */
  #failed(thrown: unknown): number {
    const code = thrown instanceof KubernetesError ? thrown.code : "unreadable";
    if (code === "not_found") return this.#absent();
    // Anything but an absent server is answered with a list: what it says of versions is not believed.
    if (code !== "unavailable" && code !== "denied") this.#mustList = true;
    if (code !== "expired") this.#say({ kind: "lost", reason: messageOf(thrown) });
    return this.#nextDelayMs();
  }

  #absent(): number {
    this.#mustList = true;
    this.#looksWithout += 1;
    const isGone = this.#reflection.size === 0 || this.#looksWithout >= absentLooks;
    if (isGone) {
      this.#deliver(this.#reflection.clear());
      this.#say({ kind: "standing" });
    } else {
      this.#say({ kind: "lost", reason: `there is no ${this.#options.path}` });
    }
    return absentMs;
  }

  #nextDelayMs(): number {
    const delayMs = backoffDelayMs(backoff, this.#failures, this.#options.random());
    this.#failures += 1;
    return delayMs;
  }

  #deliver(changes: readonly Change[]): void {
    if (this.#stop.signal.aborted) return;
    for (const change of changes) this.#options.onChange(change);
  }

  #say(state: ReflectorState): void {
    const isStanding = state.kind === "standing";
    if (this.#isStanding === isStanding || this.#stop.signal.aborted) return;
    this.#isStanding = isStanding;
    this.#options.onState(state);
  }
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KubernetesError("unreadable", "Cannot go on: a line is not JSON", { cause });
  }
}
