// The fields a proxy has to know: each has a small number, so that a set of them is one integer.
import { FOLD, ascii } from "./bytes.ts";

/** 0 is any other field. Numbers are below 31: `1 << kind` is a member of a set. */
export const KIND = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  expect: 6,
  te: 7,
  trailer: 8,
  keepAlive: 9,
  proxyConnection: 10,
  server: 11,
  /** Claims of identity: x-forwarded-client-cert, l5d-client-id, x-signet-*, with `_` for `-` too. */
  identity: 12,
  http2Settings: 13,
  /** Any field that Connection names (RFC 9110 section 7.6.1). */
  named: 14,
  /** `Connection: keep-alive` and nothing else: says nothing that HTTP/1.1 does not. */
  connectionKeepAlive: 15,
  /** `TE: trailers` and nothing else. */
  teTrailers: 16,
  /** `Server: signet`. */
  serverSignet: 17,
  websocketKey: 18,
  websocketAccept: 19,
  /** `content_length`, `transfer_encoding`: some servers take them for the real ones. */
  disguisedFraming: 20,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

/** A set of kinds as one integer. */
export function kindSet(...kinds: readonly Kind[]): number {
  let set = 0;
  for (const kind of kinds) set |= 1 << kind;
  return set;
}

/** Fields that end at this hop. */
export const HOP_BY_HOP: number = kindSet(
  KIND.connection,
  KIND.keepAlive,
  KIND.proxyConnection,
  KIND.te,
  KIND.upgrade,
  KIND.http2Settings,
  KIND.named,
);

/** What is not passed on: hop-by-hop fields, and claims of identity. */
export const STRIPPED: number = HOP_BY_HOP | kindSet(KIND.identity);

const IDENTITY_PREFIX = ascii("x-signet-");
const FORWARDED_CERTIFICATE = ascii("x-forwarded-client-cert");
const LETTER_X = 24;
const LETTER_S = 0x73;

const names: readonly (readonly [string, Kind])[] = [
  ["host", KIND.host],
  ["content-length", KIND.contentLength],
  ["transfer-encoding", KIND.transferEncoding],
  ["connection", KIND.connection],
  ["upgrade", KIND.upgrade],
  ["expect", KIND.expect],
  ["te", KIND.te],
  ["trailer", KIND.trailer],
  ["keep-alive", KIND.keepAlive],
  ["proxy-connection", KIND.proxyConnection],
  ["server", KIND.server],
  ["l5d-client-id", KIND.identity],
  ["http2-settings", KIND.http2Settings],
  ["sec-websocket-key", KIND.websocketKey],
  ["sec-websocket-accept", KIND.websocketAccept],
];

// Length and first letter together choose one candidate at most; only that one is compared. All names
// lie in one array, a fixed stride apart, so that comparing follows no pointer. What lies after a name
// is 0, which is in no name: a longer name of the same shape never matches.
const NAME_STRIDE = 32;
const SHAPE_MASK = 31;
const EXTENSION_CANDIDATE = names.length + 1;
const candidateNames = new Uint8Array((names.length + 1) * NAME_STRIDE);
const candidateKinds = new Uint8Array(names.length + 1);

/** By `shapeOf` a name: 0 where it has no kind, else what `kindOfCandidate` wants. */
export const CANDIDATES: Uint8Array = new Uint8Array((SHAPE_MASK + 1) << 5);

for (const [index, [name, kind]] of names.entries()) {
  const shape = shapeOf(name.length, name.charCodeAt(0));
  if (CANDIDATES[shape] !== 0) throw new Error(`Two field names share a shape: "${name}"`);
  CANDIDATES[shape] = index + 1;
  candidateKinds[index + 1] = kind;
  candidateNames.set(ascii(name), (index + 1) * NAME_STRIDE);
}
for (let length = 0; length <= SHAPE_MASK; length += 1) {
  CANDIDATES[shapeOf(length, LETTER_X)] = EXTENSION_CANDIDATE;
}

/** The index into CANDIDATES for a name of `length` bytes that begins with `first`. */
export function shapeOf(length: number, first: number): number {
  return ((length & SHAPE_MASK) << 5) | (first & SHAPE_MASK);
}

/** The kind of the field whose name is buffer[start, end), in any case. */
export function kindOf(buffer: Uint8Array, start: number, end: number): number {
  const candidate = CANDIDATES[shapeOf(end - start, buffer[start]!)]!;
  return candidate === 0 ? 0 : kindOfCandidate(buffer, start, end, candidate);
}

/** The same, when `candidate` (not 0) was already looked up. */
export function kindOfCandidate(
  buffer: Uint8Array,
  start: number,
  end: number,
  candidate: number,
): number {
  if (candidate === EXTENSION_CANDIDATE) return kindOfExtension(buffer, start, end - start);
  let name = candidate * NAME_STRIDE;
  let underscore = false;
  for (let at = start; at < end; at += 1, name += 1) {
    const byte = buffer[at]!;
    if (FOLD[byte] !== candidateNames[name]) return KIND.other;
    if (byte === 0x5f) underscore = true;
  }
  const kind = candidateKinds[candidate]!;
  return underscore ? disguised(kind) : kind;
}

function disguised(kind: number): number {
  if (kind === KIND.identity) return kind;
  const framing = kind === KIND.contentLength || kind === KIND.transferEncoding;
  return framing ? KIND.disguisedFraming : KIND.other;
}

function kindOfExtension(buffer: Uint8Array, start: number, length: number): number {
  if (length < IDENTITY_PREFIX.length) return KIND.other;
  const certificate = length === FORWARDED_CERTIFICATE.length;
  const signet = FOLD[buffer[start + 2]!] === LETTER_S;
  if (!certificate && !signet) return KIND.other;
  const expected = signet ? IDENTITY_PREFIX : FORWARDED_CERTIFICATE;
  for (let index = 0; index < expected.length; index += 1) {
    if (FOLD[buffer[start + index]!] !== expected[index]) return KIND.other;
  }
  return KIND.identity;
}
