// What a frame may be (RFC 9113 sections 4 and 6): types, flags, lengths, and where each may stand.
import { ERROR } from "./error-code.ts";

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of a frame. What one type does not know is ignored. */
export const FRAME_FLAG = {
  endStream: 0x01,
  ack: 0x01,
  endHeaders: 0x04,
  padded: 0x08,
  priority: 0x20,
} as const;

/** Length (24 bits), type, flags, stream (31 bits). */
export const FRAME_HEAD_BYTES = 9;

/** SETTINGS_MAX_FRAME_SIZE that we offer, which is also the least that a peer may: bytes of payload. */
export const FRAME_BYTES_MAX: number = 16 * 1024;

export const PING_BYTES = 8;
export const PRIORITY_BYTES = 5;

/** Stands for "any length". */
const ANY = -1;
/** By type: the only length that its payload may have, and the least one. */
const lengths: readonly number[] = [ANY, ANY, ANY, 4, ANY, ANY, PING_BYTES, ANY, 4, ANY];
const least: readonly number[] = [0, 0, 0, 4, 0, 4, PING_BYTES, 8, 4, 0];
/** By type: 1 where it stands on a stream, 0 on the connection, ANY where on both. */
const onStream: readonly number[] = [1, 1, 1, 1, 0, 1, 0, 0, ANY, 1];

const SETTING_BYTES = 6;

/** The error that ends a connection for the sake of a frame's head, or 0. */
export function frameFault(type: number, flags: number, length: number, streamId: number): number {
  if (length > FRAME_BYTES_MAX) return ERROR.frameSizeError;
  if (type > TYPE.continuation) return 0;
  const place = onStream[type]!;
  if (place !== ANY && (place === 1) !== (streamId !== 0)) return ERROR.protocolError;
  const only = lengths[type]!;
  if (only !== ANY && length !== only) return ERROR.frameSizeError;
  if (length < least[type]!) return ERROR.frameSizeError;
  if (type === TYPE.settings) {
    const acknowledged = (flags & FRAME_FLAG.ack) !== 0;
    if (acknowledged ? length !== 0 : length % SETTING_BYTES !== 0) return ERROR.frameSizeError;
  }
  return 0;
}
