// The Connection field (RFC 9110 section 7.6.1): its options, and the fields it names for this hop.
import { COMMA, SPACE, TAB, TOKEN, ascii, equalsIgnoringCase, sameIgnoringCase } from "./bytes.ts";
import { FIELD_STRIDE } from "./field-index.ts";
import type { FieldIndex } from "./field-index.ts";
import { KIND, kindOf, kindSet } from "./field-kind.ts";
import { CODE } from "./refusal.ts";

/** Options as members of a set; refusal codes are negative. */
export const OPTION = { close: 1, keepAlive: 2, upgrade: 4 } as const;

/** Each named field is looked for among all fields: the product stays small. */
const NAMED_MAX = 16;

const CLOSE = ascii("close");
const KEEP_ALIVE = ascii("keep-alive");
const UPGRADE = ascii("upgrade");

/** Fields with a kind of their own that is hop-by-hop whether named or not. */
const ENDS_HERE_ANYWAY = kindSet(
  KIND.keepAlive,
  KIND.proxyConnection,
  KIND.te,
  KIND.http2Settings,
  KIND.upgrade,
);

/** To name one of these would have the next hop decide without it. */
const protectedNames: readonly Uint8Array[] = [
  "authorization",
  "cookie",
  "set-cookie",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "content-type",
  "content-encoding",
  "cache-control",
  "sec-websocket-version",
  "sec-websocket-protocol",
].map(ascii);

/**
 * The options of all Connection fields, or a refusal code. Fields they name become KIND.named; a lone
 * `keep-alive` becomes KIND.connectionKeepAlive.
 */
export function readConnection(fields: FieldIndex, buffer: Uint8Array): number {
  const once = (fields.repeated & (1 << KIND.connection)) === 0;
  const firstField = fields.first[KIND.connection]!;
  if (once) {
    const start = fields.valueStart(firstField);
    const end = fields.valueEnd(firstField);
    if (equalsIgnoringCase(buffer, start, end, KEEP_ALIVE)) {
      fields.setKind(firstField, KIND.connectionKeepAlive);
      return OPTION.keepAlive;
    }
    if (equalsIgnoringCase(buffer, start, end, CLOSE)) return OPTION.close;
  }
  let options = 0;
  let named = 0;
  for (let field = firstField; field < fields.count; field += 1) {
    if (fields.kinds[field] !== KIND.connection) continue;
    const end = fields.valueEnd(field);
    let at = fields.valueStart(field);
    while (at < end) {
      const byte = buffer[at]!;
      if (byte === COMMA || byte === SPACE || byte === TAB) {
        at += 1;
        continue;
      }
      const start = at;
      while (at < end && TOKEN[buffer[at]!] !== 0) at += 1;
      if (!followedByComma(buffer, at, end) || at === start) return CODE.bad_connection;
      const option = optionOf(buffer, start, at);
      options |= option;
      if (option !== 0) continue;
      named += 1;
      if (named > NAMED_MAX) return CODE.bad_connection;
      const code = nameField(fields, buffer, start, at);
      if (code !== 0) return code;
    }
  }
  return options;
}

function optionOf(buffer: Uint8Array, start: number, end: number): number {
  if (equalsIgnoringCase(buffer, start, end, CLOSE)) return OPTION.close;
  if (equalsIgnoringCase(buffer, start, end, KEEP_ALIVE)) return OPTION.keepAlive;
  return equalsIgnoringCase(buffer, start, end, UPGRADE) ? OPTION.upgrade : 0;
}

/** Whether only whitespace stands between `from` and the next comma or the end. */
function followedByComma(buffer: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end && (buffer[at] === SPACE || buffer[at] === TAB)) at += 1;
  return at === end || buffer[at] === COMMA;
}

function nameField(fields: FieldIndex, buffer: Uint8Array, start: number, end: number): number {
  const kind = kindOf(buffer, start, end);
  if (kind !== KIND.other) {
    return (ENDS_HERE_ANYWAY & (1 << kind)) === 0 ? CODE.connection_names_protected : 0;
  }
  for (const name of protectedNames) {
    if (equalsIgnoringCase(buffer, start, end, name)) return CODE.connection_names_protected;
  }
  for (let field = 0; field < fields.count; field += 1) {
    if (fields.kinds[field] !== KIND.other) continue;
    const slot = field * FIELD_STRIDE;
    const nameStart = fields.offsets[slot]!;
    const nameEnd = fields.offsets[slot + 1]!;
    if (sameIgnoringCase(buffer, nameStart, nameEnd, start, end)) fields.setKind(field, KIND.named);
  }
  return 0;
}
