// The fields that HTTP/2 has to know, over those of HTTP/1: pseudo-header fields, and secrets that are
// never kept in a compression table.
import { ascii } from "../http1/bytes.ts";
import { KIND as HTTP1_KIND, kindOf as http1KindOf, kindSet } from "../http1/field-kind.ts";

const added = {
  method: 21,
  scheme: 22,
  authority: 23,
  path: 24,
  status: 25,
  protocol: 26,
  cookie: 27,
  /** authorization, proxy-authorization, set-cookie. */
  secret: 28,
  /** Begins with `:` and is none of the above. */
  unknownPseudo: 29,
} as const;

/** Numbers below 31, after those of HTTP/1: `1 << kind` is a member of a set. */
export const KIND: typeof HTTP1_KIND & typeof added = { ...HTTP1_KIND, ...added };

const PSEUDO_FIRST = KIND.method;
const PSEUDO_LAST = KIND.protocol;
const COLON = 0x3a;

/** Fields that no HTTP/2 message may have (RFC 9113 section 8.2.2), or that stand for one that it may not. */
export const FORBIDDEN: number = kindSet(
  HTTP1_KIND.connection,
  HTTP1_KIND.proxyConnection,
  HTTP1_KIND.keepAlive,
  HTTP1_KIND.transferEncoding,
  HTTP1_KIND.upgrade,
  HTTP1_KIND.disguisedFraming,
);

const pseudo: readonly (readonly [Uint8Array, number])[] = [
  [ascii(":method"), KIND.method],
  [ascii(":scheme"), KIND.scheme],
  [ascii(":authority"), KIND.authority],
  [ascii(":path"), KIND.path],
  [ascii(":status"), KIND.status],
  [ascii(":protocol"), KIND.protocol],
];
const more: readonly (readonly [Uint8Array, number])[] = [
  [ascii("cookie"), KIND.cookie],
  [ascii("set-cookie"), KIND.secret],
  [ascii("authorization"), KIND.secret],
  [ascii("proxy-authorization"), KIND.secret],
];

/** Whether a kind is that of a pseudo-header field, known or not. */
export function isPseudo(kind: number): boolean {
  return (kind >= PSEUDO_FIRST && kind <= PSEUDO_LAST) || kind === KIND.unknownPseudo;
}

/** Whether values of this kind are secrets: written never-indexed (RFC 7541 section 7.1.3). */
export function isSecret(kind: number): boolean {
  return kind === KIND.cookie || kind === KIND.secret;
}

/** The kind of the field whose name is buffer[start, end), in lower case. */
export function kindOf(buffer: Uint8Array, start: number, end: number): number {
  if (buffer[start] === COLON && end > start) {
    return find(pseudo, buffer, start, end) ?? KIND.unknownPseudo;
  }
  const known = http1KindOf(buffer, start, end);
  if (known !== HTTP1_KIND.other) return known;
  return find(more, buffer, start, end) ?? HTTP1_KIND.other;
}

function find(
  list: readonly (readonly [Uint8Array, number])[],
  buffer: Uint8Array,
  start: number,
  end: number,
): number | undefined {
  for (const [name, kind] of list) {
    if (name.length !== end - start) continue;
    let index = 0;
    while (index < name.length && buffer[start + index] === name[index]) index += 1;
    if (index === name.length) return kind;
  }
  return undefined;
}
