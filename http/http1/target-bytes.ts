// Which bytes may be in a request's target, and which of a path have to be looked at (path.ts).
import { DOT, PERCENT, QUERY, SEMICOLON, SLASH, SPACE, tableOf } from "./bytes.ts";

// Backslash and `#` are printable yet refused: recipients disagree on what they mean in a target.
const inTarget = (byte: number): boolean =>
  byte > SPACE && byte < 0x7f && byte !== 0x23 && byte !== 0x5c;

/** What path.ts has to look at when it follows a slash. */
export const isAfterSlash = (byte: number): boolean =>
  byte === SLASH || byte === DOT || byte === SEMICOLON;

const inPlainPath = (byte: number): boolean =>
  inTarget(byte) && byte !== QUERY && byte !== PERCENT && !isAfterSlash(byte);

/** 1 where a byte may be in a target. */
export const TARGET_BYTES: Uint8Array = tableOf(inTarget);

/** 1 where a byte may be in a path and says nothing that path.ts has to know. */
export const PLAIN_PATH_BYTES: Uint8Array = tableOf(inPlainPath);
