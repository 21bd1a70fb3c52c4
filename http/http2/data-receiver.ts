// DATA: within the windows that we gave, to the listener of its stream, in views of the received bytes.
import { CLOSED } from "./closed-streams.ts";
import type { StreamFault } from "./fault.ts";
import { FRAME_FLAG } from "./frame.ts";
import type { FrameScanner } from "./frame-scanner.ts";
import type { Session } from "./session.ts";
import type { Http2Stream } from "./stream.ts";

export class DataReceiver {
  readonly #session: Session;
  /** Of the frame that is coming: its stream, and bytes of its payload that nobody was given. */
  #stream: Http2Stream | null = null;
  #left = 0;
  #endStream = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The head of a frame. */
  onData(frame: FrameScanner): void {
    const session = this.#session;
    const { streamId, length } = frame;
    this.#stream = null;
    this.#left = length;
    this.#endStream = (frame.flags & FRAME_FLAG.endStream) !== 0;
    if (length > 0) session.idleFrames.earn(3);
    else if (!this.#endStream && !session.spendIdleFrame()) return;
    session.receiveWindow -= length;
    if (session.receiveWindow < 0) {
      session.fail("window_exceeded");
      return;
    }
    const stream = session.streams.live.get(streamId);
    if (stream === undefined) {
      this.#onNoStream(streamId);
      return;
    }
    stream.receiveWindow -= length;
    const fault = faultOf(stream);
    if (fault === null) this.#stream = stream;
    else session.streamFault(stream, fault);
  }

  /** A part of the frame's content; `frame.last` when there is no more of it (padding may follow). */
  onContent(frame: FrameScanner): void {
    const session = this.#session;
    const count = frame.end - frame.start;
    this.#left -= count;
    const stream = this.#stream;
    // The listener may have reset it between two parts.
    if (stream === null || !stream.alive) {
      session.creditConnection(frame.last ? count + this.#left : count);
      return;
    }
    if (stream.contentLeft >= 0) {
      stream.contentLeft -= count;
      const short = frame.last && this.#endStream && stream.contentLeft > 0;
      if (stream.contentLeft < 0 || short) {
        session.creditConnection(frame.last ? count + this.#left : count);
        session.streamFault(stream, "content_length_mismatch");
        return;
      }
    }
    const last = frame.last && this.#endStream;
    // Padding was received and is done with.
    if (frame.last && this.#left > 0) session.credit(stream, this.#left);
    if (last) stream.remoteEnded = true;
    if (count > 0 || last) this.#deliver(stream, frame, count, last);
    if (last) session.ended(stream);
  }

  #deliver(stream: Http2Stream, frame: FrameScanner, count: number, last: boolean): void {
    const { listener } = stream;
    stream.unreleased += count;
    if (listener === null) stream.release(count);
    else listener.onData(stream, frame.buffer.subarray(frame.start, frame.end), last);
  }

  /** All of it is thrown away, part by part. */
  #onNoStream(id: number): void {
    const session = this.#session;
    if (session.streams.isIdle(id)) {
      session.fail("stream_idle");
      return;
    }
    const how = session.streams.howClosed(id);
    if (how === CLOSED.resetByPeer) session.refuse(id, "stream_closed");
    else if (how !== CLOSED.resetByUs) session.fail("stream_closed");
  }
}

/** Why a stream cannot take a frame of content whose length was taken off its window already. */
function faultOf(stream: Http2Stream): StreamFault | null {
  if (stream.remoteEnded) return "stream_closed";
  if (!stream.headReceived) return "content_not_allowed";
  return stream.receiveWindow < 0 ? "window_exceeded" : null;
}
