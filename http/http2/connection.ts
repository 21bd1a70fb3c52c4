// One HTTP/2 connection (RFC 9113), either end of it, without a socket: received bytes go in, events come
// out; what streams are told to send gathers until the shell flushes it.
//
//   const connection = new Http2Connection(owner, { role: "server", limits, ... }, nowMs);
//   connection.receive(bytes, nowMs)    // onRequest, and what the streams' listeners hear
//   owner.onWake()                      // later in this turn write what flush() gives, in one write
//   owner.onClosed(fault)               // flush, then end the socket
//
// It never throws for what a peer sends. What a peer does wrong costs it the stream (RST_STREAM) or, where
// both ends could no longer agree on what is meant, the connection (GOAWAY). Times are monotonic ms, and
// may be coarse.
import type { MethodCode } from "../http1/method.ts";
import { ControlReceiver } from "./control-receiver.ts";
import { DataReceiver } from "./data-receiver.ts";
import { ERROR } from "./error-code.ts";
import { TYPE } from "./frame.ts";
import { FrameScanner, SCAN } from "./frame-scanner.ts";
import { writeGoaway, writePing, writeSettings, writeWindowUpdate } from "./frame-writer.ts";
import type { Setting } from "./frame-writer.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";
import { LIST_BYTES_MAX } from "./limits.ts";
import type { ConnectionLimits } from "./limits.ts";
import { MessageReceiver } from "./message-receiver.ts";
import { PHASE, Session } from "./session.ts";
import type { ConnectionOwner } from "./session.ts";
import { SETTING, WINDOW_BYTES_DEFAULT } from "./settings.ts";
import { Http2Stream } from "./stream.ts";
import type { StreamListener } from "./stream.ts";

/** What a client begins with (RFC 9113 section 3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Before the peer's settings came, no more streams than this are opened. */
const STREAMS_FIRST = 100;
/** Of GOAWAY: whatever is under way is still welcome. */
const ANY_STREAM: number = 2 ** 31 - 1;
const NO_STREAM = 0;
const DRAIN_PING: Uint8Array = Buffer.from("draining", "latin1");
const LIFE_PING: Uint8Array = Buffer.from("are you?", "latin1");

export interface ConnectionOptions {
  readonly role: "server" | "client";
  readonly limits: ConnectionLimits;
  /** Server: takes extended CONNECT (RFC 8441), and says so. */
  readonly connectProtocol: boolean;
}

export class Http2Connection {
  readonly #session: Session;
  readonly #scanner = new FrameScanner();
  readonly #messages: MessageReceiver;
  readonly #data: DataReceiver;
  readonly #control: ControlReceiver;
  /** Bytes of the preface that came; all of them at a client. */
  #prefaceBytes = 0;
  #settingsCame = false;

  constructor(owner: ConnectionOwner, options: ConnectionOptions, nowMs: number) {
    const isServer = options.role === "server";
    const { limits, connectProtocol } = options;
    const session = new Session(isServer, owner, limits, nowMs);
    this.#session = session;
    this.#messages = new MessageReceiver(session, isServer && connectProtocol);
    this.#data = new DataReceiver(session);
    this.#control = new ControlReceiver(session);
    const { output } = session.sender;
    if (!isServer) {
      output.copy(PREFACE, 0, PREFACE.length);
      this.#prefaceBytes = PREFACE.length;
    }
    const settings: Setting[] = [
      [SETTING.maxConcurrentStreams, limits.streamsMax],
      [SETTING.initialWindowSize, limits.streamWindowBytes],
      [SETTING.maxHeaderListSize, LIST_BYTES_MAX],
    ];
    if (!isServer) settings.push([SETTING.enablePush, 0]);
    if (isServer && connectProtocol) settings.push([SETTING.enableConnectProtocol, 1]);
    writeSettings(output, settings);
    const more = limits.connectionWindowBytes - WINDOW_BYTES_DEFAULT;
    if (more > 0) writeWindowUpdate(output, 0, more);
    session.wake();
  }

  get closed(): boolean {
    return this.#session.closed;
  }

  /** Live streams. */
  get streams(): number {
    return this.#session.streams.live.size;
  }

  /** The peer has acknowledged our settings; the shell decides how long to wait. */
  get settingsAcknowledged(): boolean {
    return this.#control.settingsAcknowledged;
  }

  /** The peer takes extended CONNECT (RFC 8441). */
  get peerConnectProtocol(): boolean {
    return this.#session.peer.connectProtocol;
  }

  /** Takes bytes as they came. They must not change afterwards: listeners are given views of them. */
  receive(bytes: Buffer, nowMs: number): void {
    const session = this.#session;
    if (session.closed) return;
    session.sender.nowMs = nowMs;
    const start = this.#prefaceBytes < PREFACE.length ? this.#readPreface(bytes) : 0;
    if (start < 0) return;
    const scanner = this.#scanner;
    scanner.feed(start === 0 ? bytes : bytes.subarray(start));
    for (;;) {
      const what = scanner.next();
      if (what === SCAN.more) return;
      if (what < 0) {
        session.fail("bad_frame", -what);
        return;
      }
      if (what === SCAN.content) this.#data.onContent(scanner);
      else this.#onFrame(what, scanner);
      if (session.closed) return;
    }
  }

  /** Everything that is to be sent now, for one write; the shell then calls it again if `waits`. */
  flush(): readonly Buffer[] {
    const session = this.#session;
    session.rest();
    session.sender.pump();
    return session.sender.output.take();
  }

  /** More could be flushed at once: the output was full. */
  get waits(): boolean {
    return this.#session.sender.waits && !this.#session.sender.blocked;
  }

  /** The socket takes nothing more for now, or does again (then flush). */
  setBlocked(blocked: boolean): void {
    const session = this.#session;
    session.sender.blocked = blocked;
    if (!blocked && session.sender.waits) session.wake();
  }

  /** Client: whether another request may be sent now. */
  get canOpen(): boolean {
    const { phase, streams, peer } = this.#session;
    if (phase !== PHASE.open || this.#control.goawayLastId >= 0) return false;
    const most = this.#settingsCame ? peer.streamsMax : Math.min(peer.streamsMax, STREAMS_FIRST);
    return streams.live.size < most && streams.nextId() !== 0;
  }

  /** Client: the encoder in which to put a request's head, begun; null when none may be sent now. */
  openRequest(): HpackEncoder | null {
    if (!this.canOpen) return null;
    const { encoder } = this.#session.sender;
    encoder.begin();
    return encoder;
  }

  /** Client: sends the head that openRequest's answer holds, in the same turn. `last`: no content follows. */
  request(listener: StreamListener, method: MethodCode, last: boolean): Http2Stream {
    const session = this.#session;
    const id = session.streams.nextId();
    const stream = new Http2Stream(
      session,
      id,
      method,
      session.peer.windowBytes,
      session.streamWindow,
    );
    stream.listener = listener;
    stream.headSent = true;
    session.streams.open(id);
    session.streams.live.set(id, stream);
    session.sender.sendHead(stream, last);
    session.wake();
    if (last) stream.endLocal();
    return stream;
  }

  /**
   * Takes no new streams and ends when the last one has. A server first says only that it will (requests
   * under way are welcome), and what it works on after one round trip, or at the second call.
   */
  drain(): void {
    const session = this.#session;
    const { output } = session.sender;
    if (session.phase >= PHASE.leaving) return;
    if (session.isServer && session.phase === PHASE.open) {
      session.phase = PHASE.draining;
      writeGoaway(output, ANY_STREAM, ERROR.noError);
      writePing(output, false, DRAIN_PING, 0);
      session.wake();
      return;
    }
    session.phase = PHASE.leaving;
    writeGoaway(output, session.isServer ? session.streams.lastId : NO_STREAM, ERROR.noError);
    session.wake();
    session.left();
  }

  /** Asks the peer for a sign of life; not while the connection drains, which asks by itself. */
  ping(): void {
    const session = this.#session;
    if (session.phase !== PHASE.open) return;
    writePing(session.sender.output, false, LIFE_PING, 0);
    session.wake();
  }

  /** Ends at once: streams are told, the peer is told `code`. */
  abort(code: number): void {
    const session = this.#session;
    if (session.closed) return;
    writeGoaway(session.sender.output, session.isServer ? session.streams.lastId : NO_STREAM, code);
    session.close(null, { code, by: "connection", fault: null, unprocessed: false });
  }

  /** The socket is gone: streams are told. */
  lost(): void {
    const session = this.#session;
    if (session.closed) return;
    session.close(null, { code: ERROR.cancel, by: "connection", fault: null, unprocessed: false });
  }

  /** Now and then: resets streams whose queue the peer took nothing of for too long. */
  sweep(nowMs: number): void {
    const session = this.#session;
    session.sender.nowMs = nowMs;
    for (const stream of session.streams.live.values()) {
      const stalled = nowMs - stream.progressMs >= session.limits.sendStallMaxMs;
      if (stream.queuedBytes > 0 && stalled) session.streamFault(stream, "send_stalled");
    }
  }

  /** Where the preface ends in these bytes, or -1. */
  #readPreface(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#prefaceBytes < PREFACE.length) {
      if (bytes[at] !== PREFACE[this.#prefaceBytes]) {
        this.#session.fail("bad_preface");
        return -1;
      }
      at += 1;
      this.#prefaceBytes += 1;
    }
    return at;
  }

  #onFrame(what: number, frame: FrameScanner): void {
    const session = this.#session;
    const { type } = frame;
    if (!this.#settingsCame) {
      if (type !== TYPE.settings || (frame.flags & 1) !== 0) {
        session.fail("settings_expected");
        return;
      }
      this.#settingsCame = true;
    }
    const awaited = this.#messages.awaits;
    if (awaited !== 0 || type === TYPE.continuation) {
      if (type !== TYPE.continuation) session.fail("continuation_expected");
      else if (frame.streamId !== awaited) session.fail("continuation_unexpected");
      else this.#messages.onContinuation(frame);
      return;
    }
    if (what === SCAN.unknown) {
      session.spendIdleFrame();
      return;
    }
    switch (type) {
      case TYPE.data:
        this.#data.onData(frame);
        break;
      case TYPE.headers:
        this.#messages.onHeaders(frame);
        break;
      case TYPE.priority:
        this.#control.onPriority(frame);
        break;
      case TYPE.rstStream:
        this.#control.onRstStream(frame);
        break;
      case TYPE.settings:
        this.#control.onSettings(frame);
        break;
      case TYPE.pushPromise:
        session.fail("push_refused");
        break;
      case TYPE.ping:
        if (this.#control.onPing(frame) && session.phase === PHASE.draining) this.drain();
        break;
      case TYPE.goaway:
        this.#control.onGoaway(frame);
        break;
      default:
        this.#control.onWindowUpdate(frame);
    }
  }
}
