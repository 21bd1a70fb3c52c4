// Is this the beginning of a TLS ClientHello, and what does it ask for (RFC 8446 sections 4.1.2 and
// 5.1)? Pure: looks at the bytes, takes none, remembers nothing. Called again with more bytes it gives
// the same answer however they were cut. What it reads is unauthenticated: it only chooses who answers.

/** A handshake message and its record headers, all in all. */
export const CLIENT_HELLO_BYTES_MAX: number = 16 * 1024;

export type ClientHelloVerdict =
  | { readonly kind: "more" }
  /** The bytes are no TLS handshake at all. */
  | { readonly kind: "not_tls" }
  /** They begin as one, and then break the rules. */
  | { readonly kind: "malformed" }
  | ClientHello;

interface ClientHello {
  readonly kind: "client_hello";
  /** Protocols offered, in their order; empty without the extension. */
  readonly alpn: readonly string[];
  /** In lower case; null without the extension. Not to be trusted. */
  readonly serverName: string | null;
  /** Code points of the groups that keys may be agreed on in; empty without the extension. */
  readonly groups: readonly number[];
}

const MORE: ClientHelloVerdict = { kind: "more" };
const NOT_TLS: ClientHelloVerdict = { kind: "not_tls" };
const MALFORMED: ClientHelloVerdict = { kind: "malformed" };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
const RECORD_BYTES_MAX = 16_384;
const MESSAGE_HEADER_BYTES = 4;
/** Version, random, session, one suite, one compression: nothing shorter is a ClientHello. */
const MESSAGE_BYTES_MIN: number = MESSAGE_HEADER_BYTES + 2 + 32 + 1 + 2 + 2 + 1 + 1;
const MESSAGE_BYTES_MAX: number = CLIENT_HELLO_BYTES_MAX - RECORD_HEADER_BYTES;
const MAJOR_VERSION = 3;
const MINOR_VERSION_MAX = 4;
const SESSION_ID_BYTES_MAX = 32;
const SERVER_NAME_EXTENSION = 0;
const GROUPS_EXTENSION = 10;
const ALPN_EXTENSION = 16;
const SERVER_NAME_BYTES_MAX = 255;
const PROTOCOLS_MAX = 32;

/** `bytes` begin at the first byte of the connection. */
export function readClientHello(bytes: Buffer): ClientHelloVerdict {
  const fault = checkStart(bytes);
  if (fault !== null) return fault;
  const payload = Buffer.allocUnsafe(Math.min(bytes.length, CLIENT_HELLO_BYTES_MAX));
  /** Message bytes in `payload`, and those that the records so far announce. */
  let held = 0;
  let announced = 0;
  let needed = Infinity;
  for (let at = 0; held < needed;) {
    const from = at + RECORD_HEADER_BYTES;
    if (from > CLIENT_HELLO_BYTES_MAX || !continues(bytes, at)) return MALFORMED;
    if (bytes.length < from) return MORE;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || from + length > CLIENT_HELLO_BYTES_MAX) return MALFORMED;
    held += bytes.copy(payload, held, from, Math.min(from + length, bytes.length));
    announced += length;
    at = from + length;
    if (held >= MESSAGE_HEADER_BYTES) {
      needed = MESSAGE_HEADER_BYTES + payload.readUIntBE(1, 3);
      if (needed < MESSAGE_BYTES_MIN || needed > MESSAGE_BYTES_MAX) return MALFORMED;
      // The hello is alone in its records: nothing else can be said before it is answered.
      if (announced > needed) return MALFORMED;
    }
    if (held < announced) return MORE;
  }
  return readMessage(payload.subarray(MESSAGE_HEADER_BYTES, needed)) ?? MALFORMED;
}

/** Record type, version and message type as far as they are there; null when all of it is right. */
function checkStart(bytes: Buffer): ClientHelloVerdict | null {
  if (!continues(bytes, 0)) return NOT_TLS;
  if (bytes.length < RECORD_HEADER_BYTES) return MORE;
  const length = bytes.readUInt16BE(3);
  if (length === 0 || length > RECORD_BYTES_MAX) return NOT_TLS;
  if (bytes.length === RECORD_HEADER_BYTES) return MORE;
  return bytes[RECORD_HEADER_BYTES] === CLIENT_HELLO ? null : NOT_TLS;
}

/** Whether the record header at `at`, as far as it is there, may carry the message (on). */
function continues(bytes: Buffer, at: number): boolean {
  if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return false;
  if (at + 1 < bytes.length && bytes[at + 1] !== MAJOR_VERSION) return false;
  return at + 2 >= bytes.length || bytes[at + 2]! <= MINOR_VERSION_MAX;
}

/** null when the message breaks the grammar anywhere. */
function readMessage(message: Buffer): ClientHello | null {
  const reader = new Reader(message);
  if (message[0] !== MAJOR_VERSION) return null;
  reader.skip(2 + 32);
  const sessionId = reader.vector(1);
  if (sessionId === null || sessionId.length > SESSION_ID_BYTES_MAX) return null;
  const suites = reader.vector(2);
  if (suites === null || suites.length < 2 || suites.length % 2 !== 0) return null;
  const compressions = reader.vector(1);
  if (compressions === null || !compressions.includes(0)) return null;
  // Before extensions there were (RFC 5246 section 7.4.1.2): a hello may end here.
  if (reader.ended) return { kind: "client_hello", alpn: [], serverName: null, groups: [] };
  const extensions = reader.vector(2);
  if (extensions === null || !reader.ended) return null;
  return readExtensions(extensions);
}

function readExtensions(extensions: Buffer): ClientHello | null {
  const reader = new Reader(extensions);
  const seen = new Set<number>();
  let alpn: readonly string[] = [];
  let serverName: string | null = null;
  let groups: readonly number[] = [];
  while (!reader.ended) {
    const type = reader.number(2);
    const content = reader.vector(2);
    if (type === null || content === null || seen.has(type)) return null;
    seen.add(type);
    if (type === ALPN_EXTENSION) {
      const protocols = readAlpn(content);
      if (protocols === null) return null;
      alpn = protocols;
    } else if (type === SERVER_NAME_EXTENSION) {
      serverName = readServerName(content);
      if (serverName === null) return null;
    } else if (type === GROUPS_EXTENSION) {
      const offered = readGroups(content);
      if (offered === null) return null;
      groups = offered;
    }
  }
  return { kind: "client_hello", alpn, serverName, groups };
}

/** RFC 7301 section 3.1. */
function readAlpn(content: Buffer): readonly string[] | null {
  const outer = new Reader(content);
  const list = outer.vector(2);
  if (list === null || list.length === 0 || !outer.ended) return null;
  const reader = new Reader(list);
  const protocols: string[] = [];
  while (!reader.ended) {
    const name = reader.vector(1);
    if (name === null || name.length === 0 || protocols.length === PROTOCOLS_MAX) return null;
    protocols.push(name.toString("latin1"));
  }
  return protocols;
}

/** RFC 8446 section 4.2.7. */
function readGroups(content: Buffer): readonly number[] | null {
  const outer = new Reader(content);
  const list = outer.vector(2);
  if (list === null || list.length < 2 || list.length % 2 !== 0 || !outer.ended) return null;
  return Array.from({ length: list.length / 2 }, (_, index) => list.readUInt16BE(index * 2));
}

/** RFC 6066 section 3: one host name, printable ASCII. */
function readServerName(content: Buffer): string | null {
  const outer = new Reader(content);
  const list = outer.vector(2);
  if (list === null || !outer.ended) return null;
  const reader = new Reader(list);
  const type = reader.number(1);
  const name = reader.vector(2);
  if (type !== 0 || name === null || !reader.ended) return null;
  if (name.length === 0 || name.length > SERVER_NAME_BYTES_MAX) return null;
  if (!name.every((byte) => byte > 0x20 && byte < 0x7f)) return null;
  return name.toString("latin1").toLowerCase();
}

/** Reads on through bytes; null once they do not suffice. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(count: number): void {
    this.#at = Math.min(this.#at + count, this.#bytes.length);
  }

  number(width: 1 | 2): number | null {
    if (this.#at + width > this.#bytes.length) return null;
    const value = this.#bytes.readUIntBE(this.#at, width);
    this.#at += width;
    return value;
  }

  /** Bytes after a length of `width` bytes. */
  vector(width: 1 | 2): Buffer | null {
    const length = this.number(width);
    if (length === null || this.#at + length > this.#bytes.length) return null;
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return content;
  }
}
