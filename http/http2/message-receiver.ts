// HEADERS and CONTINUATION: heads of requests and responses, and trailers, from the frame to the listener.
import { BlockAssembly } from "./block-assembly.ts";
import { CLOSED } from "./closed-streams.ts";
import { ERROR } from "./error-code.ts";
import type { StreamFault } from "./fault.ts";
import { trailersFault } from "./fields-fault.ts";
import { FRAME_FLAG } from "./frame.ts";
import type { FrameScanner } from "./frame-scanner.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { RequestFields } from "./request-fields.ts";
import { ResponseFields } from "./response-fields.ts";
import { PHASE } from "./session.ts";
import type { Session } from "./session.ts";
import { Http2Stream } from "./stream.ts";

export class MessageReceiver {
  readonly #session: Session;
  /** We take extended CONNECT (RFC 8441). */
  readonly #connectProtocol: boolean;
  readonly #decoder = new HpackDecoder();
  readonly #request = new RequestFields();
  readonly #response = new ResponseFields();
  readonly #assembly = new BlockAssembly();

  constructor(session: Session, connectProtocol: boolean) {
    this.#session = session;
    this.#connectProtocol = connectProtocol;
  }

  /** The stream whose CONTINUATION must come next, or 0. */
  get awaits(): number {
    return this.#assembly.streamId;
  }

  onHeaders(frame: FrameScanner): void {
    const { streamId, flags, dependency } = frame;
    if ((streamId & 1) === 0) {
      this.#session.fail("bad_stream_id");
      return;
    }
    const endStream = (flags & FRAME_FLAG.endStream) !== 0;
    if ((flags & FRAME_FLAG.endHeaders) !== 0) {
      this.#onBlock(streamId, endStream, dependency, frame.buffer, frame.start, frame.end);
      return;
    }
    if (frame.start === frame.end && !this.#session.spendIdleFrame()) return;
    this.#assembly.begin(streamId, endStream, dependency);
    const fault = this.#assembly.add(frame.buffer, frame.start, frame.end);
    if (fault !== null) this.#session.fail(fault);
  }

  /** The frame is of the stream that `awaits` says. */
  onContinuation(frame: FrameScanner): void {
    const assembly = this.#assembly;
    const fault = assembly.continue(frame.buffer, frame.start, frame.end);
    if (fault !== null) {
      this.#session.fail(fault);
      return;
    }
    if ((frame.flags & FRAME_FLAG.endHeaders) === 0) return;
    const { streamId, endStream, dependency, bytes, length } = assembly;
    assembly.finish();
    this.#onBlock(streamId, endStream, dependency, bytes, 0, length);
  }

  #onBlock(
    id: number,
    endStream: boolean,
    dependency: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const session = this.#session;
    // Before anything else: whatever becomes of the stream, both tables must stay the same.
    const code = this.#decoder.decode(bytes, start, end);
    if (code !== 0) {
      session.fail(code === ERROR.enhanceYourCalm ? "header_bomb" : "bad_header_block");
      return;
    }
    const stream = session.streams.live.get(id);
    if (stream !== undefined) this.#onKnown(stream, endStream, dependency === id);
    else if (!session.streams.isIdle(id)) this.#onClosed(id);
    else if (session.isServer) this.#onRequest(id, endStream, dependency === id);
    else session.fail("stream_idle");
  }

  #onClosed(id: number): void {
    const session = this.#session;
    const how = session.streams.howClosed(id);
    if (how === CLOSED.ended) session.fail("stream_closed");
    else if (how === CLOSED.resetByPeer) session.refuse(id, "stream_closed");
    else if (how === CLOSED.resetByUs) session.spendIdleFrame();
    else session.fail("bad_stream_id");
  }

  #onRequest(id: number, endStream: boolean, dependsOnItself: boolean): void {
    const session = this.#session;
    const { streams } = session;
    streams.open(id);
    // The peer was told that nobody works on it, and counts on that.
    if (session.phase === PHASE.leaving) {
      streams.close(id, CLOSED.resetByUs);
      return;
    }
    session.idleFrames.earn(3);
    if (streams.live.size >= session.limits.streamsMax) {
      session.refuse(id, "too_many_streams");
      return;
    }
    const request = this.#request;
    const fault = dependsOnItself
      ? "self_dependency"
      : request.read(this.#decoder.block, endStream, this.#connectProtocol);
    if (fault !== null) {
      session.refuse(id, fault);
      return;
    }
    const stream = new Http2Stream(
      session,
      id,
      request.method,
      session.peer.windowBytes,
      session.streamWindow,
    );
    streams.live.set(id, stream);
    stream.headReceived = true;
    stream.contentLeft = request.contentLength;
    stream.remoteEnded = endStream;
    session.owner.onRequest(stream, request, endStream);
    session.ended(stream);
  }

  #onKnown(stream: Http2Stream, endStream: boolean, dependsOnItself: boolean): void {
    const session = this.#session;
    if (stream.remoteEnded) session.streamFault(stream, "stream_closed");
    else if (dependsOnItself) session.streamFault(stream, "self_dependency");
    else if (stream.headReceived) this.#onTrailers(stream, endStream);
    else this.#onResponse(stream, endStream);
  }

  #onResponse(stream: Http2Stream, endStream: boolean): void {
    const session = this.#session;
    const response = this.#response;
    const fault = response.read(this.#decoder.block, endStream, stream.method);
    if (fault !== null) {
      session.streamFault(stream, fault);
      return;
    }
    if (response.interim) {
      if (!session.spendIdleFrame()) return;
    } else {
      session.idleFrames.earn(3);
      stream.headReceived = true;
      stream.contentLeft = response.contentBytes;
      stream.remoteEnded = endStream;
    }
    stream.listener?.onResponse(stream, response, endStream);
    session.ended(stream);
  }

  #onTrailers(stream: Http2Stream, endStream: boolean): void {
    const session = this.#session;
    const fault = this.#trailersFault(stream, endStream);
    if (fault !== null) {
      session.streamFault(stream, fault);
      return;
    }
    stream.remoteEnded = true;
    stream.listener?.onTrailers(stream, this.#decoder.block);
    session.ended(stream);
  }

  #trailersFault(stream: Http2Stream, endStream: boolean): StreamFault | null {
    if (!endStream) return "trailers_without_end";
    if (stream.contentLeft > 0) return "content_length_mismatch";
    return trailersFault(this.#decoder.block);
  }
}
