// The content of a request as it came, kept while it may have to be sent again; its head stays indexed where it
// was received. Bounded: past the limit the request cannot be repeated any more and its bytes are let go.
import type { OutgoingRequest, Trailers, UpstreamStream } from "./transport.ts";

export class Replay {
  /** All bytes from the first one are here. */
  whole = true;
  readonly #bytesMax: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #trailers: Trailers | null = null;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Nothing more should be read before a stream takes what is here. */
  get full(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  /** For the next request, whose head has so many bytes. */
  begin(headBytes: number): void {
    this.#parts.length = 0;
    this.#bytes = headBytes;
    this.#trailers = null;
    this.whole = true;
  }

  /** `unsent`: no stream has it yet, so it is kept whatever its size. */
  add(content: Buffer, unsent: boolean): void {
    if (content.length === 0 || (!this.whole && !unsent)) return;
    this.#bytes += content.length;
    this.#parts.push(content);
    if (!unsent && this.full) this.#letGo();
  }

  /** The end; `trailers` are its own from here on. */
  addTrailers(trailers: Trailers): void {
    if (this.whole) this.#trailers = trailers;
  }

  /** Sends all that is here. `complete`: the request has no more than that. */
  sendTo(stream: UpstreamStream, request: OutgoingRequest, complete: boolean): void {
    const parts = this.#parts;
    const trailers = this.#trailers;
    const ends = complete && trailers === null;
    stream.sendRequest(request, ends && parts.length === 0);
    for (let part = 0; part < parts.length; part += 1) {
      stream.send(parts[part]!, ends && part === parts.length - 1);
    }
    if (trailers !== null) stream.sendTrailers(trailers);
    if (this.full) this.#letGo();
  }

  clear(): void {
    this.begin(0);
  }

  #letGo(): void {
    this.whole = false;
    this.#parts.length = 0;
    this.#trailers = null;
  }
}
