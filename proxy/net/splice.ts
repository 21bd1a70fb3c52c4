// Copies bytes both ways between two sockets until both directions have ended: backpressure by
// pausing the reader, half-close kept (a FIN or close_notify on one side becomes one on the other),
// an error on either side resets both.
import type { Socket } from "node:net";
import type { Deadlines, Expiring } from "./deadline.ts";
import { readFast } from "#/lib/fast-read.ts";
import { reset } from "./reset.ts";
import { writeBorrowed } from "./write-borrowed.ts";

export interface SpliceEnd {
  readonly bytesFromDownstream: number;
  readonly bytesToDownstream: number;
  /** "closed" when both ends finished, else what cut it. */
  readonly reason:
    | "closed"
    | "downstream_reset"
    | "upstream_reset"
    | "idle"
    | "cut"
    | "http_as_opaque";
}

/** Looks at what a downstream sends before it is passed on. */
export interface Screen {
  /** False ends the connection, these bytes unsent. */
  readonly pass: (bytes: Buffer) => boolean;
}

export interface SpliceOptions {
  readonly deadlines: Deadlines;
  /** Both directions silent for so long ends the connection. */
  readonly idleTimeoutMs: number;
  readonly screen: Screen | null;
  readonly onEnd: (end: SpliceEnd) => void;
}

/** A live pair of sockets; `cut` ends it at once with a reset. */
export class Splice implements Expiring {
  deadlineMs = 0;
  readonly #downstream: Socket;
  readonly #upstream: Socket;
  readonly #options: SpliceOptions;
  #fromDownstream = 0;
  #toDownstream = 0;
  #endings = 0;
  #over = false;

  constructor(downstream: Socket, upstream: Socket, options: SpliceOptions) {
    this.#downstream = downstream;
    this.#upstream = upstream;
    this.#options = options;
    const { screen } = options;
    this.#alive();
    options.deadlines.add(this);
    const fromDownstream = (bytes: Buffer): void => {
      this.#fromDownstream += bytes.length;
      this.#alive();
      if (screen !== null && !screen.pass(bytes)) this.#finish("http_as_opaque");
      else if (!writeBorrowed(upstream, bytes)) downstream.pause();
    };
    const fromUpstream = (bytes: Buffer): void => {
      this.#toDownstream += bytes.length;
      this.#alive();
      if (!writeBorrowed(downstream, bytes)) upstream.pause();
    };
    downstream.on("data", fromDownstream);
    upstream.on("data", fromUpstream);
    readFast(downstream, fromDownstream);
    readFast(upstream, fromUpstream);
    upstream.on("drain", () => downstream.resume());
    downstream.on("drain", () => upstream.resume());
    downstream.on("end", () => this.#ended(upstream));
    upstream.on("end", () => this.#ended(downstream));
    downstream.on("error", () => this.#finish("downstream_reset"));
    upstream.on("error", () => this.#finish("upstream_reset"));
    downstream.on("close", () => this.#closed("downstream_reset"));
    upstream.on("close", () => this.#closed("upstream_reset"));
    if (downstream.readableEnded) this.#ended(upstream);
    if (upstream.readableEnded) this.#ended(downstream);
    downstream.resume();
    upstream.resume();
  }

  /** Ends both sides at once. */
  cut(): void {
    this.#finish("cut");
  }

  onDeadline(): void {
    this.#finish("idle");
  }

  #alive(): void {
    this.deadlineMs = this.#options.deadlines.nowMs + this.#options.idleTimeoutMs;
  }

  #ended(other: Socket): void {
    this.#endings += 1;
    if (!other.writableEnded) other.end();
  }

  #closed(reason: SpliceEnd["reason"]): void {
    const bothClosed = this.#downstream.destroyed && this.#upstream.destroyed;
    if (this.#endings >= 2) {
      if (bothClosed) this.#finish("closed");
    } else this.#finish(reason);
  }

  #finish(reason: SpliceEnd["reason"]): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.deadlines.remove(this);
    if (reason !== "closed") {
      reset(this.#downstream);
      reset(this.#upstream);
    }
    this.#options.onEnd({
      bytesFromDownstream: this.#fromDownstream,
      bytesToDownstream: this.#toDownstream,
      reason,
    });
  }
}
