// Whether a socket is read: closed and opened as often as anybody likes, the socket is told of changes alone.
import type { Socket } from "node:net";

export class Valve {
  readonly #socket: Socket;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.pause();
  }

  open(): void {
    if (!this.#closed) return;
    this.#closed = false;
    this.#socket.resume();
  }
}
