// One line of JSON per request or connection, at its end. Lines are gathered as bytes and written
// together, so that a request costs one short-lived string and no system call; what cannot be written
// in time is dropped and counted, never queued without bound.
import type { Clock } from "#/lib/clock.ts";
import { descriptorSink } from "./access-sink.ts";
import type { AccessSink } from "./access-sink.ts";

const FLUSH_MS = 100;
/** Lines are gathered in buffers of this size; none is longer. */
const CHUNK_BYTES = 128 * 1024;
/** 4 MiB wait at most. */
const CHUNKS_MAX = 32;
const CHUNKS_SPARE_MAX = 4;

export interface RequestRecord {
  readonly direction: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly source: string;
  readonly destination: string;
  readonly service: string;
  readonly upstream: string;
  readonly tries: number;
  /** In which the connection between the sidecars agreed on keys; empty: plaintext, or none was made. */
  readonly group: string;
  /** Why it was refused or failed; empty when all went well. */
  readonly reason: string;
}

export interface ConnectionRecord {
  readonly direction: string;
  readonly protocol: string;
  readonly durationMs: number;
  readonly sourceAddress: string;
  readonly source: string;
  readonly destination: string;
  readonly upstream: string;
  /** As a request's. */
  readonly group: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly verdict: string;
  readonly reason: string;
}

export class AccessLog {
  dropped = 0;
  readonly #sink: AccessSink | null;
  readonly #clock: Clock;
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #used = 0;
  readonly #full: Buffer[] = [];
  readonly #spare: Buffer[] = [];
  #writing = false;
  #scheduled = false;
  #second = 0;
  #secondText = "";

  /** `target`: a descriptor, or what writes; null: nothing is written. */
  constructor(target: number | AccessSink | null, clock: Clock) {
    this.#sink = typeof target === "number" ? descriptorSink(target) : target;
    this.#clock = clock;
  }

  request(record: RequestRecord): void {
    if (this.#sink === null) return;
    const head = `{"time":"${this.#time()}","kind":"request","direction":"${record.direction}"`;
    const what = `,"method":"${record.method}","path":${quote(record.path)},"status":${record.status}`;
    const cost = `,"duration_ms":${record.durationMs.toFixed(3)},"request_bytes":${record.requestBytes},"response_bytes":${record.responseBytes}`;
    const who = `,"src.identity":"${record.source}","dst.identity":"${record.destination}","dst.service":"${record.service}","upstream":"${record.upstream}"`;
    const why = record.reason === "" ? "" : `,"reason":"${record.reason}"`;
    this.#append(
      `${head}${what}${cost}${who},"tls.group":"${record.group}","tries":${record.tries}${why}}\n`,
    );
  }

  connection(record: ConnectionRecord): void {
    if (this.#sink === null) return;
    const { durationMs, sourceAddress, source, destination, bytesReceived, bytesSent } = record;
    const { direction, protocol, upstream, group, verdict, reason } = record;
    const json = JSON.stringify({
      time: this.#time(),
      kind: "connection",
      direction,
      protocol,
      upstream,
      verdict,
      reason,
      duration_ms: Math.round(durationMs),
      "src.addr": sourceAddress,
      "src.identity": source,
      "dst.identity": destination,
      "tls.group": group,
      bytes_received: bytesReceived,
      bytes_sent: bytesSent,
    });
    // Written as latin1: U+010A would come out as a line feed.
    this.#append(`${ascii(json)}\n`);
  }

  /** Writes what is pending; resolves when it is out. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      const attempt = (): void => {
        if (this.#used === 0 && !this.#writing) return resolve();
        this.#flushNow();
        this.#clock.after(5, attempt);
      };
      attempt();
    });
  }

  /** `line` is latin1. */
  #append(line: string): void {
    if (this.#used + line.length > CHUNK_BYTES && !this.#seal()) {
      this.dropped += 1;
      return;
    }
    if (line.length > CHUNK_BYTES) {
      this.dropped += 1;
      return;
    }
    this.#used += this.#chunk.write(line, this.#used, "latin1");
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.after(FLUSH_MS, () => {
      this.#scheduled = false;
      this.#flushNow();
    });
  }

  /** Puts the chunk in the queue and begins another; false: too much waits already. */
  #seal(): boolean {
    if (this.#used === 0) return true;
    if (this.#full.length >= CHUNKS_MAX) return false;
    this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#chunk = this.#spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#used = 0;
    this.#writeNext();
    return true;
  }

  #flushNow(): void {
    if (!this.#writing) this.#seal();
  }

  #writeNext(): void {
    if (this.#writing) return;
    const bytes = this.#full.shift();
    if (bytes === undefined) return;
    this.#writing = true;
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.#sink!(bytes, (failed) => {
      if (failed) this.dropped += 1;
      this.#writing = false;
      if (this.#spare.length < CHUNKS_SPARE_MAX) this.#spare.push(Buffer.from(bytes.buffer));
      if (this.#full.length > 0) this.#writeNext();
      else if (!this.#scheduled) this.#seal();
    });
  }

  /** ISO 8601 in milliseconds; the part down to the second is made once a second. */
  #time(): string {
    const now = this.#clock.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    return `${this.#secondText}${String(now - second * 1000).padStart(3, "0")}Z`;
  }
}

/** A JSON string of text that is latin1; plain text, the usual case, is not searched twice. */
function quote(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return /["\\\u0000-\u001f\u007f-\uffff]/.test(text) ? ascii(JSON.stringify(text)) : `"${text}"`;
}

function ascii(json: string): string {
  return json.replaceAll(
    /[\u007f-\uffff]/g,
    (character) => String.raw`\u` + character.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
