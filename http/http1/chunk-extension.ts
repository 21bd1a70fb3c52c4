// The grammar of chunk extensions (RFC 9112 section 7.1.1) as a state per byte. Blanks are refused
// though the grammar bears them: recipients disagree on where they end.
import { CR, LF, SEMICOLON, TOKEN, VALUE } from "./bytes.ts";
import { CODE } from "./refusal.ts";

const QUOTE = 0x22;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

const STATE = {
  nameStart: 0,
  name: 1,
  valueStart: 2,
  value: 3,
  quoted: 4,
  quotedPair: 5,
  quotedEnd: 6,
} as const;

/** After the semicolon. */
export const EXTENSION_START: number = STATE.nameStart;
/** The line's CR was read. */
export const EXTENSION_END = 7;

/** The state after `byte`, EXTENSION_END, or a refusal code. */
export function nextExtensionState(state: number, byte: number): number {
  if (VALUE[byte] === 0 && byte !== CR) return byte === LF ? CODE.bare_lf : CODE.control_byte;
  switch (state) {
    case STATE.nameStart:
      return TOKEN[byte] === 1 ? STATE.name : CODE.bad_chunk_extension;
    case STATE.name:
      if (byte === EQUALS) return STATE.valueStart;
      return TOKEN[byte] === 1 ? STATE.name : afterElement(byte);
    case STATE.valueStart:
      if (byte === QUOTE) return STATE.quoted;
      return TOKEN[byte] === 1 ? STATE.value : CODE.bad_chunk_extension;
    case STATE.value:
      return TOKEN[byte] === 1 ? STATE.value : afterElement(byte);
    case STATE.quoted:
      if (byte === CR) return CODE.bare_cr;
      if (byte === QUOTE) return STATE.quotedEnd;
      return byte === BACKSLASH ? STATE.quotedPair : STATE.quoted;
    case STATE.quotedPair:
      return byte === CR ? CODE.bare_cr : STATE.quoted;
    default:
      return afterElement(byte);
  }
}

function afterElement(byte: number): number {
  if (byte === CR) return EXTENSION_END;
  return byte === SEMICOLON ? STATE.nameStart : CODE.bad_chunk_extension;
}
