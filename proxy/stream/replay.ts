// The bytes of a request as they were sent, kept while it may have to be sent again. Bounded: past
// the limit the request cannot be repeated any more and its bytes are let go.
export class Replay {
  chunks: Buffer[] = [];
  /** All bytes from the first one are here. */
  whole = true;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Nothing more should be read before a stream takes what is here. */
  get full(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  begin(head: Buffer): void {
    this.chunks.length = 0;
    this.chunks.push(head);
    this.#bytes = head.length;
    this.whole = true;
  }

  /** `unsent`: no stream has it yet, so it is kept whatever its size. */
  add(bytes: Buffer, unsent: boolean): void {
    if (!this.whole && !unsent) return;
    this.#bytes += bytes.length;
    this.chunks.push(bytes);
    if (!unsent && this.full) this.#letGo();
  }

  /** A stream has taken all that is here. */
  sent(): void {
    if (this.full) this.#letGo();
  }

  clear(): void {
    this.chunks.length = 0;
    this.#bytes = 0;
    this.whole = true;
  }

  #letGo(): void {
    this.whole = false;
    this.chunks.length = 0;
  }
}
