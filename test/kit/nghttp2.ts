// Node's HTTP/2 (nghttp2) without a network: a session that reads what a test gives it and whose own bytes
// the test reads.
import { connect, performServerHandshake } from "node:http2";
import type {
  ClientHttp2Session,
  ClientSessionOptions,
  ServerHttp2Session,
  SessionOptions,
} from "node:http2";
import { Duplex } from "node:stream";

/** One end of a connection: `written` is what the session sent; `give` is what it receives. */
export class Wire extends Duplex {
  /** Told of all bytes that the session writes. */
  onBytes: (bytes: Buffer) => void = () => {};

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.onBytes(bytes);
    done();
  }

  give(bytes: Uint8Array): void {
    if (!this.destroyed) this.push(Buffer.from(bytes));
  }
}

export interface Peer<S> {
  readonly session: S;
  readonly wire: Wire;
}

export function nghttp2Server(options: SessionOptions = {}): Peer<ServerHttp2Session> {
  const wire = new Wire();
  const session = performServerHandshake(wire, options);
  session.on("error", () => {});
  return { session, wire };
}

export function nghttp2Client(options: ClientSessionOptions = {}): Peer<ClientHttp2Session> {
  const wire = new Wire();
  const session = connect("http://b", { ...options, createConnection: () => wire });
  session.on("error", () => {});
  return { session, wire };
}
