// Finds the end of a chunked body (RFC 9112 section 7.1) while its bytes are forwarded as they are. So
// all that another recipient could read differently is refused: bare LF, blanks around sizes, signs,
// over-long extensions, fields in the trailers that belong in a head (attack 43).
import { COLON, CR, FOLD, HEX, LF, SEMICOLON, TOKEN, VALUE } from "./bytes.ts";
import { EXTENSION_END, EXTENSION_START, nextExtensionState } from "./chunk-extension.ts";
import { CODE } from "./refusal.ts";
import { isTrailerAllowed, TRAILER_NAME_BYTES_MAX } from "./trailers.ts";

/** Hexadecimal digits of a chunk size. The size itself is at most 2^53 - 1. */
const SIZE_DIGITS_MAX = 16;
const CHUNK_EXTENSION_BYTES_MAX = 256;
const EXTENSION_BYTES_MAX = 16 * 1024;
export const TRAILER_BYTES_MAX: number = 8 * 1024;

const PHASE = {
  size: 0,
  extension: 1,
  sizeLineFeed: 2,
  data: 3,
  dataReturn: 4,
  dataLineFeed: 5,
  trailerStart: 6,
  trailerName: 7,
  trailerValue: 8,
  trailerLineFeed: 9,
  endLineFeed: 10,
  done: 11,
} as const;

/** Hears what a body holds, for whoever passes it on without its chunks. Called from within `consume`. */
export interface ChunkedListener {
  /** The bytes [start, end) of the buffer that is being consumed are content. */
  onContent(start: number, end: number): void;
  /** They are of the trailer section, with the blank line that ends it. */
  onTrailers(start: number, end: number): void;
}

export class ChunkedScanner {
  /** The whole body, trailers and last blank line included, was consumed. */
  done = false;
  /** Bytes of content so far, framing not counted. */
  contentBytes = 0;
  #phase: number = PHASE.size;
  #size = 0;
  #digits = 0;
  #extension = EXTENSION_START;
  #chunkExtensionBytes = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #nameBytes = 0;
  readonly #name: Uint8Array = new Uint8Array(TRAILER_NAME_BYTES_MAX);
  #refused = 0;
  readonly #listener: ChunkedListener | null;

  constructor(listener: ChunkedListener | null = null) {
    this.#listener = listener;
  }

  reset(): void {
    this.done = false;
    this.contentBytes = 0;
    this.#phase = PHASE.size;
    this.#size = 0;
    this.#digits = 0;
    this.#chunkExtensionBytes = 0;
    this.#extensionBytes = 0;
    this.#trailerBytes = 0;
    this.#nameBytes = 0;
    this.#refused = 0;
  }

  /**
   * Takes buffer[start, end): the number of bytes that belong to the body (all of them unless `done`
   * is true afterwards), or a refusal code, which then stays until reset. Buffers need not touch.
   */
  consume(buffer: Uint8Array, start: number, end: number): number {
    if (this.#refused !== 0) return this.#refused;
    const listener = this.#listener;
    const trailerBytes = this.#trailerBytes;
    let at = start;
    while (at < end && this.#phase !== PHASE.done) {
      if (this.#phase === PHASE.data) {
        const taken = Math.min(end - at, this.#size);
        listener?.onContent(at, at + taken);
        at += taken;
        this.#size -= taken;
        this.contentBytes += taken;
        if (this.#size === 0) this.#phase = PHASE.dataReturn;
        continue;
      }
      const code =
        this.#phase < PHASE.trailerStart ? this.#chunk(buffer[at]!) : this.#trailer(buffer[at]!);
      if (code !== 0) {
        this.#refused = code;
        return code;
      }
      at += 1;
    }
    this.done = this.#phase === PHASE.done;
    // Nothing follows them: they are the last of what was taken.
    const trailers = this.#trailerBytes - trailerBytes;
    if (trailers > 0) listener?.onTrailers(at - trailers, at);
    return at - start;
  }

  /** One byte around the data of a chunk. */
  #chunk(byte: number): number {
    switch (this.#phase) {
      case PHASE.size:
        return this.#sizeByte(byte);
      case PHASE.extension:
        this.#extension = nextExtensionState(this.#extension, byte);
        if (this.#extension < 0) return this.#extension;
        if (this.#extension !== EXTENSION_END) return this.#extensionByte();
        this.#phase = PHASE.sizeLineFeed;
        return 0;
      case PHASE.sizeLineFeed:
        if (byte !== LF) return CODE.bare_cr;
        this.#phase = this.#size === 0 ? PHASE.trailerStart : PHASE.data;
        this.#digits = 0;
        this.#chunkExtensionBytes = 0;
        return 0;
      case PHASE.dataReturn:
        if (byte !== CR) return CODE.bad_chunk_end;
        this.#phase = PHASE.dataLineFeed;
        return 0;
      default:
        if (byte !== LF) return CODE.bad_chunk_end;
        this.#phase = PHASE.size;
        return 0;
    }
  }

  #sizeByte(byte: number): number {
    const value = HEX[byte]!;
    if (value !== 255) {
      this.#digits += 1;
      this.#size = this.#size * 16 + value;
      const fits = this.#digits <= SIZE_DIGITS_MAX && this.#size <= Number.MAX_SAFE_INTEGER;
      return fits ? 0 : CODE.bad_chunk_size;
    }
    if (this.#digits === 0) return CODE.bad_chunk_size;
    if (byte === CR) {
      this.#phase = PHASE.sizeLineFeed;
      return 0;
    }
    if (byte !== SEMICOLON) return byte === LF ? CODE.bare_lf : CODE.bad_chunk_size;
    this.#phase = PHASE.extension;
    this.#extension = EXTENSION_START;
    return this.#extensionByte();
  }

  #extensionByte(): number {
    this.#chunkExtensionBytes += 1;
    this.#extensionBytes += 1;
    const fits =
      this.#chunkExtensionBytes <= CHUNK_EXTENSION_BYTES_MAX &&
      this.#extensionBytes <= EXTENSION_BYTES_MAX;
    return fits ? 0 : CODE.chunk_extension_too_long;
  }

  /** One byte after the last chunk. */
  #trailer(byte: number): number {
    this.#trailerBytes += 1;
    if (this.#trailerBytes > TRAILER_BYTES_MAX) return CODE.trailers_too_long;
    switch (this.#phase) {
      case PHASE.trailerStart:
        if (byte === CR) {
          this.#phase = PHASE.endLineFeed;
          return 0;
        }
        this.#nameBytes = 0;
        this.#phase = PHASE.trailerName;
        return this.#nameByte(byte);
      case PHASE.trailerName:
        return this.#nameByte(byte);
      case PHASE.trailerValue:
        if (VALUE[byte] !== 0) return 0;
        if (byte !== CR) return byte === LF ? CODE.bare_lf : CODE.control_byte;
        this.#phase = PHASE.trailerLineFeed;
        return 0;
      case PHASE.trailerLineFeed:
        if (byte !== LF) return CODE.bare_cr;
        this.#phase = PHASE.trailerStart;
        return 0;
      default:
        if (byte !== LF) return CODE.bare_cr;
        this.#phase = PHASE.done;
        return 0;
    }
  }

  #nameByte(byte: number): number {
    if (byte === COLON) {
      if (!isTrailerAllowed(this.#name, this.#nameBytes)) return CODE.trailer_refused;
      this.#phase = PHASE.trailerValue;
      return 0;
    }
    if (TOKEN[byte] === 0) return byte === LF ? CODE.bare_lf : CODE.bad_field_name;
    if (this.#nameBytes === TRAILER_NAME_BYTES_MAX) return CODE.trailer_refused;
    this.#name[this.#nameBytes] = FOLD[byte]!;
    this.#nameBytes += 1;
    return 0;
  }
}
