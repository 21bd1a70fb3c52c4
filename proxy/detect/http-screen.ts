// Watches the beginning of a stream whose bytes are passed on as they come: does it turn out to be HTTP?
import { detectHttp } from "./http.ts";

const NOTHING = Buffer.alloc(0);

/** Judges the first bytes, cut as they may be; after its verdict it costs nothing. */
export class HttpScreen {
  #held: Buffer = NOTHING;
  #clear = false;

  /**
   * False: with these bytes the stream has proved to be HTTP/1, and they must not be passed on. They may change
   * afterwards.
   */
  pass(bytes: Buffer): boolean {
    if (this.#clear) return true;
    this.#held = Buffer.concat([this.#held, bytes]);
    const verdict = detectHttp(this.#held);
    if (verdict === null) return true;
    this.#clear = verdict !== "http1";
    this.#held = NOTHING;
    return this.#clear;
  }
}
