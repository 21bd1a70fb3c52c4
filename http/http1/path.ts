// Normalises a request path once (attack 38), so that policy, routing and the application all see the
// same bytes. Applied to the path of the target; the query is never touched. The rules:
//
// 1. `%XX` of an unreserved byte (letters, digits, `-._~`) is decoded; other escapes get upper-case
//    hex digits. An escape that is none, and `%2F`, `%5C`, `%00`, are refused.
// 2. Runs of `/` become one `/`; then `.` and `..` segments are removed (never above the root).
// 3. Afterwards `%25` followed by `2E`, `2F`, `5C`, `00` or `25` is refused: a second decoding would
//    make another path of it. So is a dot segment with parameters (`/..;a/`), and one of parameters alone
//    that others follow (`/;a/b`): some servers take parameters away before they look at segments.
//    Any other `;` stays.
//
// Normalising a normalised path changes nothing.
import { DOT, HEX, PERCENT, SEMICOLON, SLASH, isAlphanumeric, tableOf } from "./bytes.ts";
import { CODE } from "./refusal.ts";

const UNRESERVED = tableOf(
  (byte) => isAlphanumeric(byte) || "-._~".includes(String.fromCharCode(byte)),
);
const REFUSED_ESCAPES: ReadonlySet<number> = new Set([0x00, SLASH, 0x5c]);
const TWICE_ESCAPED: ReadonlySet<string> = new Set(["2E", "2F", "5C", "00", "25"]);
const UPPER_HEX = Buffer.from("0123456789ABCDEF", "latin1");

/** The normal form of the path buffer[start, end), which begins with `/`, or a refusal code. */
export function normalizePath(buffer: Uint8Array, start: number, end: number): Buffer | number {
  const decoded = decode(buffer, start, end);
  if (typeof decoded === "number") return decoded;
  return removeSegments(decoded);
}

/** Rule 1, and the runs of `/` of rule 2. */
function decode(buffer: Uint8Array, start: number, end: number): Buffer | number {
  const out = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const byte = buffer[at]!;
    if (byte === SLASH && length > 0 && out[length - 1] === SLASH) continue;
    if (byte !== PERCENT) {
      out[length] = byte;
      length += 1;
      continue;
    }
    const high = at + 2 < end ? HEX[buffer[at + 1]!]! : 255;
    const low = at + 2 < end ? HEX[buffer[at + 2]!]! : 255;
    if (high === 255 || low === 255) return CODE.bad_escape;
    const value = high * 16 + low;
    if (REFUSED_ESCAPES.has(value)) return CODE.ambiguous_path;
    at += 2;
    if (UNRESERVED[value] === 1) {
      out[length] = value;
      length += 1;
    } else {
      out[length] = PERCENT;
      out[length + 1] = UPPER_HEX[high]!;
      out[length + 2] = UPPER_HEX[low]!;
      length += 3;
    }
  }
  return out.subarray(0, length);
}

/** Rules 2 and 3 in place: what is written never overtakes what is read. */
function removeSegments(path: Buffer): Buffer | number {
  let length = 0;
  let at = 0;
  while (at < path.length) {
    let next = at + 1;
    while (next < path.length && path[next] !== SLASH) next += 1;
    const last = next === path.length;
    const dots = dotsOf(path, at + 1, next);
    if (dots < 0 || (isParameter(path, at + 1) && !last)) return CODE.ambiguous_path;
    if (dots === 2) while (length > 0 && path[--length] !== SLASH);
    if (dots === 0) {
      path.copyWithin(length, at, next);
      length += next - at;
    } else if (last) {
      path[length] = SLASH;
      length += 1;
    }
    at = next;
  }
  const normal = path.subarray(0, length);
  return escapedTwice(normal) ? CODE.ambiguous_path : normal;
}

/** 1 or 2 for the segments `.` and `..`, -1 for these with parameters, 0 for any other. */
function dotsOf(path: Uint8Array, start: number, end: number): number {
  let dots = 0;
  while (start + dots < end && path[start + dots] === DOT) dots += 1;
  if (dots === 0 || dots > 2) return 0;
  if (start + dots === end) return dots;
  return isParameter(path, start + dots) ? -1 : 0;
}

/** Whether parameters begin here; some look for them after they have decoded. */
function isParameter(path: Uint8Array, at: number): boolean {
  if (path[at] === SEMICOLON) return true;
  return path[at] === PERCENT && path[at + 1] === 0x33 && path[at + 2] === 0x42;
}

function escapedTwice(path: Buffer): boolean {
  for (let at = path.indexOf("%25"); at >= 0; at = path.indexOf("%25", at + 3)) {
    const inner = path
      .subarray(at + 3, at + 5)
      .toString("latin1")
      .toUpperCase();
    if (TWICE_ESCAPED.has(inner)) return true;
  }
  return false;
}
