// Looks at the first bytes of a connection without taking them: they are put back with `unshift`
// before anybody else reads, so TLS or HTTP/1 start at byte 0.
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";

/** What `classify` says of the bytes so far; null asks for more. */
export type Classify<Verdict> = (bytes: Buffer) => Verdict | null;

export interface PeekOptions<Verdict> {
  readonly socket: Socket;
  readonly clock: Clock;
  /** With no verdict after so long, `onSilence` decides with what is there (server-first protocols). */
  readonly deadlineMs: number;
  /** From the first byte on, in place of `deadlineMs`. Not given: `deadlineMs` holds for all of it. */
  readonly undecidedMs?: number;
  readonly bytesMax: number;
  readonly classify: Classify<Verdict>;
  readonly onVerdict: (verdict: Verdict) => void;
  /** Deadline or end before a verdict; `bytes` is what came (put back as well). */
  readonly onSilence: (bytes: number, why: "deadline" | "ended" | "too_long") => void;
  /** The socket failed or closed before a verdict. */
  readonly onClosed: () => void;
}

/**
 * Starts looking. Exactly one of the callbacks is called, once; none after the returned function was
 * called, which puts the bytes back and leaves the socket alone.
 */
export function peekFirstBytes<Verdict>(options: PeekOptions<Verdict>): () => void {
  const { socket } = options;
  let held: Buffer | null = null;
  let over = false;

  const finish = (): void => {
    over = true;
    cancel();
    socket.off("readable", onReadable);
    socket.off("end", onEnd);
    socket.off("close", onClose);
    if (held !== null && held.length > 0) socket.unshift(held);
  };
  const silence = (why: "deadline" | "ended" | "too_long"): void => {
    if (over) return;
    const count = held?.length ?? 0;
    finish();
    options.onSilence(count, why);
  };
  /**
   * What came while the process had no CPU is read first: in a turn of the loop timers come before it. A mesh
   * caller's ClientHello would otherwise be taken for silence, and passed on as if it were an application's.
   */
  const onDeadline = (): void => {
    const timer = cancel;
    setImmediate(() => {
      if (cancel === timer) silence("deadline");
    });
  };
  const onReadable = (): void => {
    if (over) return;
    const bytes = socket.read() as Buffer | null;
    if (bytes !== null) {
      if (held === null && options.undecidedMs !== undefined) {
        cancel();
        cancel = options.clock.after(options.undecidedMs, onDeadline);
      }
      held = held === null ? bytes : Buffer.concat([held, bytes]);
      const verdict = options.classify(held);
      if (verdict !== null) {
        finish();
        options.onVerdict(verdict);
      } else if (held.length >= options.bytesMax) silence("too_long");
    }
    if (hasEnded(socket)) silence("ended");
  };
  const onEnd = (): void => silence("ended");
  const onClose = (): void => {
    if (over) return;
    held = null;
    finish();
    options.onClosed();
  };
  let cancel = options.clock.after(options.deadlineMs, onDeadline);
  socket.on("readable", onReadable);
  socket.on("end", onEnd);
  socket.on("close", onClose);
  // It may have ended before anybody listened, in the turn of its handshake.
  if (socket.readableEnded) process.nextTick(onEnd);
  return () => {
    if (!over) finish();
  };
}

/**
 * The peer's FIN has been read, and "end" has not been emitted yet: the last moment at which bytes can
 * be put back. Node keeps it as `_readableState.ended`; `readableEnded` comes a turn too late.
 */
function hasEnded(socket: Socket): boolean {
  const { _readableState: state } = socket as unknown as { _readableState: { ended: boolean } };
  return state.ended;
}
