// Keys at rest: each is wrapped under a key that stands elsewhere, so that whoever reads the store, or a
// backup of it, has nothing. Here by AES-256-GCM under a key that the process is given; a key management
// service can stand in its place, which is why everything waits. What a key belongs to is authenticated
// with it: one that was put beside another certificate does not open.
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { CaError } from "../ca-error.ts";

export interface KeyWrapper {
  /** Of the key that it wraps under; stands beside what it wrapped. */
  readonly id: string;
  /** `context` is authenticated, and not told. */
  wrap(plaintext: Uint8Array, context: string): Promise<Uint8Array>;
  /** By the id that stood beside it. Rejects with CaError `authority_sealed` when it cannot. */
  unwrap(wrapped: Uint8Array, context: string, id: string): Promise<Uint8Array>;
}

const cipher = "aes-256-gcm";
const keyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;
const idCharacters = 12;

/**
 * From one or several keys, each 32 bytes as 64 hex digits or as base64, one a line: the first one wraps, all
 * unwrap. Throws CaError `authority_sealed` for anything else, and repeats nothing of it.
 */
export function localKeyWrapper(
  text: string,
  randomBytes: (length: number) => Uint8Array,
): KeyWrapper {
  const lines = text.split(/\s+/).filter((line) => line !== "");
  const keys = new Map(lines.map(readKey).map((key) => [idOf(key), key]));
  const [first] = keys;
  if (first === undefined) throw sealed("there is no key to wrap keys under");
  const [id, key] = first;
  return {
    id,
    // oxlint-disable-next-line typescript/require-await
    async wrap(plaintext, context) {
      const iv = randomBytes(ivBytes);
      const sealing = createCipheriv(cipher, key, iv, { authTagLength: tagBytes });
      sealing.setAAD(Buffer.from(context));
      const body = Buffer.concat([sealing.update(plaintext), sealing.final()]);
      return Buffer.concat([iv, sealing.getAuthTag(), body]);
    },
    // oxlint-disable-next-line typescript/require-await
    async unwrap(wrapped, context, wanted) {
      const held = keys.get(wanted);
      if (held === undefined) throw sealed(`it is wrapped under another key (${wanted})`);
      const iv = wrapped.subarray(0, ivBytes);
      const tag = wrapped.subarray(ivBytes, ivBytes + tagBytes);
      if (tag.length !== tagBytes) throw sealed("what is wrapped is cut off");
      const opening = createDecipheriv(cipher, held, iv, { authTagLength: tagBytes });
      opening.setAAD(Buffer.from(context));
      opening.setAuthTag(tag);
      try {
        const body = wrapped.subarray(ivBytes + tagBytes);
        return Buffer.concat([opening.update(body), opening.final()]);
      } catch {
        throw sealed("what is wrapped was changed, or belongs to another certificate");
      }
    },
  };
}

function readKey(line: string): Buffer {
  const isHex = /^[0-9a-f]{64}$/i.test(line);
  const key = Buffer.from(line, isHex ? "hex" : "base64");
  if (key.length === keyBytes) return key;
  throw sealed(`a key to wrap keys under has ${keyBytes} bytes, as 64 hex digits or as base64`);
}

/** Tells keys apart, and nothing of them. */
function idOf(key: Uint8Array): string {
  const digest = createHash("sha256").update("signet key id").update(key).digest("base64url");
  return digest.slice(0, idCharacters);
}

export function sealed(state: string): CaError {
  return new CaError("authority_sealed", `Cannot open the authority's key: ${state}`, {
    next: "Give the controllers the key that it was wrapped under: SIGNET_KEY_ENCRYPTION_FILE",
  });
}
