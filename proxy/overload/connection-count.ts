// The connections open in one direction, in all and by the address that they came from.
import type { Socket } from "node:net";
import { reset } from "../net/reset.ts";

export type OverflowReason = "overflow" | "source_overflow";

export interface ConnectionCountOptions {
  readonly connectionsMax: number;
  /** Of one address; Infinity: no such limit. */
  readonly perSourceMax: number;
  readonly onOverflow: (reason: OverflowReason) => void;
}

export class ConnectionCount {
  readonly #options: ConnectionCountOptions;
  readonly #bySource = new Map<string, number>();
  #open = 0;

  constructor(options: ConnectionCountOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#open;
  }

  /** Counts the connection until it closes; false: one too many, it has been reset. */
  admit(socket: Socket): boolean {
    const { connectionsMax, perSourceMax, onOverflow } = this.#options;
    const source = socket.remoteAddress ?? "";
    const ofSource = this.#bySource.get(source) ?? 0;
    if (this.#open >= connectionsMax || ofSource >= perSourceMax) {
      onOverflow(this.#open >= connectionsMax ? "overflow" : "source_overflow");
      reset(socket);
      return false;
    }
    this.#open += 1;
    this.#bySource.set(source, ofSource + 1);
    socket.once("close", () => this.#closed(source));
    return true;
  }

  #closed(source: string): void {
    this.#open -= 1;
    const left = (this.#bySource.get(source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, left);
  }
}
