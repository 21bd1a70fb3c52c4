// Frames about the connection and its streams that carry nothing of a message. Each costs a little of a
// budget that useful frames fill again.
import { CLOSED } from "./closed-streams.ts";
import { ERROR } from "./error-code.ts";
import { FRAME_FLAG, PRIORITY_BYTES } from "./frame.ts";
import { uint31, uint32 } from "./frame-scanner.ts";
import type { FrameScanner } from "./frame-scanner.ts";
import { writePing, writeSettingsAck } from "./frame-writer.ts";
import type { Session } from "./session.ts";
import { WINDOW_BYTES_MAX } from "./settings.ts";

export class ControlReceiver {
  readonly #session: Session;
  /** The peer has acknowledged our settings. */
  settingsAcknowledged = false;
  /** The last stream that the peer works on, once it said so; else -1. */
  goawayLastId = -1;
  #dataFramesSeen = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  onSettings(frame: FrameScanner): void {
    const session = this.#session;
    const { peer, sender } = session;
    if (!session.spendIdleFrame()) return;
    if ((frame.flags & FRAME_FLAG.ack) !== 0) {
      this.settingsAcknowledged = true;
      return;
    }
    const windowBefore = peer.windowBytes;
    const code = peer.apply(frame.buffer, frame.start, frame.end);
    if (code !== 0) {
      session.fail("bad_settings", code);
      return;
    }
    sender.encoder.resize(peer.headerTableBytes);
    if (peer.windowBytes !== windowBefore && !this.#moveWindows(peer.windowBytes - windowBefore)) {
      session.fail("window_overflow");
      return;
    }
    if (!session.mayReply()) return;
    writeSettingsAck(sender.output);
    session.wake();
  }

  /** The windows of all streams change by as much as the initial one (RFC 9113 section 6.9.2). */
  #moveWindows(change: number): boolean {
    const { streams, sender } = this.#session;
    for (const stream of streams.live.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > WINDOW_BYTES_MAX) return false;
      sender.ready(stream);
    }
    return true;
  }

  /** True when it answers a PING of ours. */
  onPing(frame: FrameScanner): boolean {
    const session = this.#session;
    if (!session.spendIdleFrame()) return false;
    if ((frame.flags & FRAME_FLAG.ack) !== 0) return true;
    if (!session.mayReply()) return false;
    writePing(session.sender.output, true, frame.buffer, frame.start);
    session.wake();
    return false;
  }

  onGoaway(frame: FrameScanner): void {
    const session = this.#session;
    if (!session.spendIdleFrame()) return;
    const lastId = uint31(frame.buffer, frame.start);
    const code = uint32(frame.buffer, frame.start + 4);
    this.goawayLastId = lastId;
    if (!session.isServer) {
      for (const stream of session.streams.live.values()) {
        if (stream.id <= lastId) continue;
        session.abandon(stream, { code, by: "connection", fault: null, unprocessed: true });
      }
    }
    session.owner.onGoaway(code);
    session.left();
  }

  onRstStream(frame: FrameScanner): void {
    const session = this.#session;
    const { streams } = session;
    const stream = streams.live.get(frame.streamId);
    if (stream !== undefined) session.resetByPeer(stream, uint32(frame.buffer, frame.start));
    else if (streams.isIdle(frame.streamId)) session.fail("stream_idle");
    else session.spendIdleFrame();
  }

  onWindowUpdate(frame: FrameScanner): void {
    const session = this.#session;
    const { sender, streams } = session;
    session.idleFrames.earn(3 * (sender.dataFrames - this.#dataFramesSeen));
    this.#dataFramesSeen = sender.dataFrames;
    if (!session.spendIdleFrame()) return;
    const increment = uint31(frame.buffer, frame.start);
    const { streamId } = frame;
    if (streamId === 0) {
      if (increment === 0) session.fail("window_increment_zero");
      else if (!sender.grow(increment)) session.fail("window_overflow");
      else if (sender.waits) session.wake();
      return;
    }
    const stream = streams.live.get(streamId);
    if (stream === undefined) {
      if (streams.isIdle(streamId)) session.fail("stream_idle");
      return;
    }
    stream.sendWindow += increment;
    if (increment === 0) session.streamFault(stream, "window_increment_zero");
    else if (stream.sendWindow > WINDOW_BYTES_MAX) session.streamFault(stream, "window_overflow");
    else {
      sender.ready(stream);
      if (sender.waits) session.wake();
    }
  }

  /** Priorities are not kept, but a stream that depends on itself is refused (RFC 7540 section 5.3.1). */
  onPriority(frame: FrameScanner): void {
    const session = this.#session;
    if (!session.spendIdleFrame()) return;
    const { streamId, length } = frame;
    const good = length === PRIORITY_BYTES;
    if (good && uint31(frame.buffer, frame.start) !== streamId) return;
    const stream = session.streams.live.get(streamId);
    if (stream !== undefined)
      session.streamFault(stream, good ? "self_dependency" : "bad_priority");
    else if (session.streams.isIdle(streamId) || !good) {
      session.fail(
        good ? "self_dependency" : "bad_frame",
        good ? ERROR.protocolError : ERROR.frameSizeError,
      );
    } else if (session.streams.howClosed(streamId) === CLOSED.unknown) session.spendIdleFrame();
  }
}
