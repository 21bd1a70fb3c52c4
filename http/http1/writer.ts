// Makes the bytes of a head that is sent on: contiguous runs of the received ones, with lines left out,
// replaced or added. A head that stays as it is costs nothing: it is a view of the received bytes.
import { CR } from "./bytes.ts";
import { FIELD_STRIDE, LINE_END_BYTES } from "./field-index.ts";
import type { FieldIndex } from "./field-index.ts";
import { KIND, STRIPPED, kindSet } from "./field-kind.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";

/** Whole lines, each ended by CRLF, that are put after the received ones. */
export type Lines = Buffer;

const NO_LINES: Lines = Buffer.alloc(0);
const BLANK = Buffer.from(" ", "latin1");
const CRLF = Buffer.from("\r\n", "latin1");
const SERVER = Buffer.from("server: signet\r\n", "latin1");
const WEBSOCKET = Buffer.from("connection: Upgrade\r\nupgrade: websocket\r\n", "latin1");

const STRIPPED_FROM_RESPONSE: number = STRIPPED | kindSet(KIND.server);

// The head being written. One event loop writes one head at a time.
let output: Buffer = NO_LINES;
let length = 0;

/** `text` lines as bytes, for callers that prepare what they insert. */
export function linesOf(...lines: readonly string[]): Lines {
  return Buffer.from(lines.map((line) => `${line}\r\n`).join(""), "latin1");
}

/**
 * The request head to send on: normalised target and host, `stripped` kinds left out, `insert` added.
 * A view of head.buffer when nothing differs, else a buffer of its own.
 */
export function requestBytes(
  head: RequestHead,
  insert: Lines | null,
  stripped: number = STRIPPED,
): Buffer {
  const { fields, buffer, line, newTarget } = head;
  const hostAs = head.host.rewritten;
  const drop = fields.seen & stripped;
  const same = drop === 0 && newTarget === null && hostAs === null && !fields.padded;
  if (same && insert === null) {
    return buffer.subarray(head.start, head.end);
  }
  const added = (newTarget?.length ?? 0) + (hostAs?.length ?? 0) + (insert?.length ?? 0);
  open(head.end - head.start + added + WEBSOCKET.length);
  let from = head.start;
  if (newTarget !== null) {
    copy(buffer, from, line.targetStart);
    copy(newTarget, 0, newTarget.length);
    from = line.targetEnd;
  }
  copyFields(fields, buffer, from, drop, hostAs);
  if (head.websocket) copy(WEBSOCKET, 0, WEBSOCKET.length);
  return close(insert);
}

/**
 * The response head to send on: `server: signet`, `stripped` kinds left out, `insert` added. A view of
 * head.buffer when nothing differs, else a buffer of its own.
 */
export function responseBytes(
  head: ResponseHead,
  insert: Lines | null,
  stripped: number = STRIPPED_FROM_RESPONSE,
): Buffer {
  const { fields, buffer } = head;
  const drop = fields.seen & (stripped | (1 << KIND.server));
  const hasServer = fields.has(KIND.serverSignet);
  const same = drop === 0 && hasServer && !fields.padded;
  if (same && insert === null) return buffer.subarray(head.start, head.end);
  const added = SERVER.length + (insert?.length ?? 0);
  open(head.end - head.start + added + WEBSOCKET.length);
  copyFields(fields, buffer, head.start, drop, null);
  if (!hasServer) copy(SERVER, 0, SERVER.length);
  if (head.switching) copy(WEBSOCKET, 0, WEBSOCKET.length);
  return close(insert);
}

function open(bytesMax: number): void {
  output = Buffer.allocUnsafe(bytesMax);
  length = 0;
}

function close(insert: Lines | null): Buffer {
  if (insert !== null) copy(insert, 0, insert.length);
  copy(CRLF, 0, CRLF.length);
  const written = output.subarray(0, length);
  output = NO_LINES;
  return written;
}

/**
 * Copies from `from` up to the blank line, without the kinds in `drop`. Blanks around values become one
 * space: recipients disagree on which of them they take off.
 */
function copyFields(
  fields: FieldIndex,
  buffer: Buffer,
  from: number,
  drop: number,
  hostAs: Buffer | null,
): void {
  const { offsets, kinds, count, padded } = fields;
  let runStart = from;
  if (drop !== 0 || hostAs !== null || padded) {
    for (let field = 0; field < count; field += 1) {
      const kind = kinds[field]!;
      if (kind === KIND.other && !padded) continue;
      const slot = field * FIELD_STRIDE;
      if (((drop >>> kind) & 1) === 1) {
        copy(buffer, runStart, offsets[slot]!);
        runStart = offsets[slot + FIELD_STRIDE]!;
        continue;
      }
      const isPadded = padded && fields.isPadded(buffer, field);
      const isHost = kind === KIND.host && hostAs !== null;
      if (!isPadded && !isHost) continue;
      const nameEnd = offsets[slot + 1]!;
      const valueStart = offsets[slot + 2]!;
      copy(buffer, runStart, isPadded ? nameEnd + 1 : valueStart);
      if (isPadded && valueStart > nameEnd + 1) copy(BLANK, 0, BLANK.length);
      if (isHost) copy(hostAs, 0, hostAs.length);
      else copy(buffer, valueStart, offsets[slot + 3]!);
      runStart = isPadded ? offsets[slot + FIELD_STRIDE]! - LINE_END_BYTES : offsets[slot + 3]!;
    }
  }
  // The index keeps the offset of the blank line as if it were one more field.
  const blankLine = offsets[count * FIELD_STRIDE]!;
  if (buffer[blankLine] !== CR) throw new Error("Assertion failed: field index and buffer differ");
  copy(buffer, runStart, blankLine);
}

/** Below this a loop beats the call into native code. */
const NATIVE_COPY_BYTES_MIN = 48;

function copy(source: Buffer, start: number, end: number): void {
  if (end - start >= NATIVE_COPY_BYTES_MIN) {
    source.copy(output, length, start, end);
    length += end - start;
    return;
  }
  for (let at = start; at < end; at += 1) {
    output[length] = source[at]!;
    length += 1;
  }
}
