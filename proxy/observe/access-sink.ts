// Where lines of the access log go: a descriptor, or whoever writes to it for several threads.
import { write } from "node:fs";

/** Calls back once the bytes are out, or cannot be written: `failed`. They must not change until then. */
export type AccessSink = (bytes: Uint8Array, done: (failed: boolean) => void) => void;

/** Writes one piece after the other, so that lines stay whole whoever they are from. */
export function descriptorSink(descriptor: number): AccessSink {
  const waiting: { readonly bytes: Uint8Array; readonly done: (failed: boolean) => void }[] = [];
  const put = (bytes: Uint8Array, offset: number, done: (failed: boolean) => void): void => {
    write(descriptor, bytes, offset, bytes.length - offset, null, (error, written) => {
      if (error === null && offset + written < bytes.length) put(bytes, offset + written, done);
      else {
        done(error !== null);
        waiting.shift();
        next();
      }
    });
  };
  const next = (): void => {
    const first = waiting[0];
    if (first !== undefined) put(first.bytes, 0, first.done);
  };
  return (bytes, done) => {
    waiting.push({ bytes, done });
    if (waiting.length === 1) next();
  };
}
