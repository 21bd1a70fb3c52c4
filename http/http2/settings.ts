// SETTINGS (RFC 9113 section 6.5): what the other end of a connection allows us.
import { ERROR } from "./error-code.ts";
import { uint32 } from "./frame-scanner.ts";

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  /** RFC 8441. */
  enableConnectProtocol: 8,
} as const;

/** Of both ends, until they say otherwise. Bytes. */
export const WINDOW_BYTES_DEFAULT = 65_535;
/** No flow-control window may be larger (RFC 9113 section 6.9.1). Bytes. */
export const WINDOW_BYTES_MAX: number = 2 ** 31 - 1;

const FRAME_SIZE_LEAST = 16_384;
const FRAME_SIZE_MOST = 16_777_215;
const SETTING_BYTES = 6;

export class PeerSettings {
  headerTableBytes = 4096;
  streamsMax: number = Number.POSITIVE_INFINITY;
  windowBytes: number = WINDOW_BYTES_DEFAULT;
  /** It takes extended CONNECT. */
  connectProtocol = false;
  readonly #isServer: boolean;

  /** `isServer`: the peer is one. */
  constructor(isServer: boolean) {
    this.#isServer = isServer;
  }

  /** Takes the payload of SETTINGS. Returns 0, or the error that ends the connection. */
  apply(buffer: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at += SETTING_BYTES) {
      const identifier = buffer[at]! * 256 + buffer[at + 1]!;
      const code = this.#set(identifier, uint32(buffer, at + 2));
      if (code !== 0) return code;
    }
    return 0;
  }

  #set(identifier: number, value: number): number {
    switch (identifier) {
      case SETTING.headerTableSize:
        this.headerTableBytes = value;
        return 0;
      case SETTING.enablePush:
        // A server must not say that it takes pushes.
        return value > (this.#isServer ? 0 : 1) ? ERROR.protocolError : 0;
      case SETTING.maxConcurrentStreams:
        this.streamsMax = value;
        return 0;
      case SETTING.initialWindowSize:
        if (value > WINDOW_BYTES_MAX) return ERROR.flowControlError;
        this.windowBytes = value;
        return 0;
      case SETTING.maxFrameSize:
        // Our frames are never larger than the least that may be said here.
        return value < FRAME_SIZE_LEAST || value > FRAME_SIZE_MOST ? ERROR.protocolError : 0;
      case SETTING.enableConnectProtocol:
        // Once said it holds (RFC 8441 section 3).
        if (value > 1 || (this.connectProtocol && value === 0)) return ERROR.protocolError;
        this.connectProtocol = value === 1;
        return 0;
      default:
        return 0;
    }
  }
}
