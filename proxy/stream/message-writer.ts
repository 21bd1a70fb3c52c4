// Writes messages of HTTP/1 to a socket, with the framing that their heads announce. What comes until flush() leaves
// in one write; what lies together already is not copied.
import type { Socket } from "node:net";
import { BODY } from "#/http/http1/framing.ts";
import type { BodyKind } from "#/http/http1/framing.ts";
import { CHUNK_END, LAST_CHUNK, chunkOf, chunkStart } from "#/http/translate/chunk.ts";
import { joined } from "./join.ts";

/** More than so many bytes are written beside what is held instead of being copied behind it. */
const COPIED_BYTES_MAX = 16 * 1024;

export class MessageWriter {
  readonly #socket: Socket;
  #chunked = false;
  /** What is not written yet: mostly one buffer. */
  #held: Buffer | null = null;
  #more: Buffer[] | null = null;
  #free = true;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Begins a message. */
  head(head: Buffer, kind: BodyKind): void {
    this.#chunked = kind === BODY.chunked;
    this.#add(head, 0, head.length);
  }

  /** Content bytes[start, end). */
  content(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    if (!this.#chunked) {
      this.#add(bytes, start, end);
      return;
    }
    const content = bytes.subarray(start, end);
    if (content.length <= COPIED_BYTES_MAX) {
      const chunk = chunkOf(content);
      this.#add(chunk, 0, chunk.length);
      return;
    }
    const size = chunkStart(content.length);
    this.#add(size, 0, size.length);
    this.#add(content, 0, content.length);
    this.#add(CHUNK_END, 0, CHUNK_END.length);
  }

  /** Ends a message. */
  end(): void {
    if (this.#chunked) this.#add(LAST_CHUNK, 0, LAST_CHUNK.length);
  }

  /** Ends a message with `end`, the last chunk and trailers, where its framing has a place for them. */
  trailers(end: Buffer): void {
    if (this.#chunked) this.#add(end, 0, end.length);
  }

  /** Writes what is held. False: the socket takes nothing more before its "drain". */
  flush(): boolean {
    const held = this.#held;
    if (held === null) return this.#free;
    const more = this.#more;
    this.#held = null;
    if (more === null) {
      this.#free = this.#socket.write(held);
      return this.#free;
    }
    this.#more = null;
    this.#socket.cork();
    this.#free = this.#socket.write(held);
    for (const bytes of more) this.#free = this.#socket.write(bytes);
    this.#socket.uncork();
    return this.#free;
  }

  /** The socket takes more again. */
  drained(): void {
    this.#free = true;
  }

  #add(bytes: Buffer, start: number, end: number): void {
    if (this.#more !== null) this.#more.push(bytes.subarray(start, end));
    else if (this.#held === null) {
      this.#held = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    } else if (end - start <= COPIED_BYTES_MAX && this.#held.length <= COPIED_BYTES_MAX) {
      this.#held = joined(this.#held, bytes, start, end);
    } else this.#more = [bytes.subarray(start, end)];
  }
}
