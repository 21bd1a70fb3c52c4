// In which groups keys were agreed on, from what a server said in the clear: the key_share of its ServerHello
// (RFC 8446 sections 4.1.3 and 4.2.8). A HelloRetryRequest is one, too. Pure.

/** Code points by the names that OpenSSL gives them. */
export const groupNames: ReadonlyMap<number, string> = new Map([
  [0x11ec, "X25519MLKEM768"],
  [0x001d, "X25519"],
  [0x0017, "prime256v1"],
  [0x0018, "secp384r1"],
]);

const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
const HANDSHAKE_RECORD = 22;
const SERVER_HELLO = 2;
/** Version and random; behind them stands the session's length. */
const SESSION_AT = 2 + 32;
/** Cipher suite and compression. */
const CHOICES_BYTES = 2 + 1;
const KEY_SHARE_EXTENSION = 51;

/** One for each ServerHello in `bytes`, which begin with a record; one that is cut off is left out. */
export function keyShareGroups(bytes: Buffer): readonly number[] {
  const groups: number[] = [];
  for (let at = 0; at + RECORD_HEADER_BYTES < bytes.length;) {
    const body = at + RECORD_HEADER_BYTES;
    const end = body + bytes.readUInt16BE(at + 3);
    const isHello = bytes[at] === HANDSHAKE_RECORD && bytes[body] === SERVER_HELLO;
    const group = isHello ? groupOf(bytes.subarray(body + MESSAGE_HEADER_BYTES, end)) : null;
    if (group !== null) groups.push(group);
    at = end;
  }
  return groups;
}

function groupOf(hello: Buffer): number | null {
  const extensions = SESSION_AT + 1 + (hello[SESSION_AT] ?? 0) + CHOICES_BYTES;
  // Each extension: type, length, content; a key share begins with its group.
  for (let at = extensions + 2; at + 6 <= hello.length; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) === KEY_SHARE_EXTENSION) return hello.readUInt16BE(at + 4);
  }
  return null;
}
