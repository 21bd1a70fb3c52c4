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
const NAME_BYTES_MAX = 20;

// Length and first letter together choose one candidate at most; only that one is compared.
const candidates = new Uint8Array((NAME_BYTES_MAX + 1) << 5);
const candidateNames: Uint8Array[] = [new Uint8Array(0)];
const candidateKinds = new Uint8Array(names.length + 1);
for (const [name, kind] of names) {
  const bytes = ascii(name);
  const shape = (bytes.length << 5) | (bytes[0]! & 31);
  if (candidates[shape] !== 0) throw new Error(`Two field names share a shape: "${name}"`);
  candidates[shape] = candidateNames.length;
  candidateKinds[candidateNames.length] = kind;
  candidateNames.push(bytes);
}

/** The kind of the field whose name is buffer[start, end), in any case. */
export function kindOf(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const first = buffer[start]! & 31;
  if (first === LETTER_X) return kindOfExtension(buffer, start, length);
  if (length > NAME_BYTES_MAX) return KIND.other;
  const candidate = candidates[(length << 5) | first]!;
  if (candidate === 0) return KIND.other;
  const name = candidateNames[candidate]!;
  let underscore = false;
  for (let index = 0; index < length; index += 1) {
    const byte = buffer[start + index]!;
    if (FOLD[byte] !== name[index]) return KIND.other;
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
  const expected = FOLD[buffer[start + 2]!] === LETTER_S ? IDENTITY_PREFIX : FORWARDED_CERTIFICATE;
  if (expected === FORWARDED_CERTIFICATE && length !== expected.length) return KIND.other;
  for (let index = 0; index < expected.length; index += 1) {
    if (FOLD[buffer[start + index]!] !== expected[index]) return KIND.other;
  }
  return KIND.identity;
}
