// HTTP/2 by hand, for what no library sends: frames, and header fields that are not coded.

/** What a client begins a connection with (RFC 9113, section 3.4). */
export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Of stream 1, or of the connection for `settings`. */
export function frame(type: number, flags: number, payload: Uint8Array, stream = 1): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const settings: Buffer = frame(4, 0, Buffer.alloc(0), 0);

/** A field whose name stands in the static table; `first` tells its number and how it is kept. */
export function literal(first: number, value: string): Buffer {
  return Buffer.concat([Buffer.from([first, value.length]), Buffer.from(value)]);
}

/** A field with its name, kept in the table. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([literal(0x40, name), Buffer.from([value.length]), Buffer.from(value)]);
}

/** ":method: POST" and ":scheme: http", of the static table. */
export const post: Buffer = Buffer.from([0x83, 0x86]);
