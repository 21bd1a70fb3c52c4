// Opaque TCP to the application: dials it at once (its server may speak first) and copies bytes both
// ways. On a port that nobody declared opaque, the caller does not get to choose that its HTTP goes
// unread, whatever it negotiated and however long it was silent (attack case 36): the first bytes, when
// they come, are looked at, and what begins as HTTP is handed back to be carried as HTTP. Where bytes
// were passed on already, the connection is cut as soon as they prove to be the beginning of HTTP.
import type { Socket } from "node:net";
import type { Clock } from "#/lib/clock.ts";
import { HTTP_DETECT_BYTES_MAX, detectHttp } from "../detect/http.ts";
import { HttpScreen } from "../detect/http-screen.ts";
import type { Deadlines } from "../net/deadline.ts";
import { dial } from "../net/dial.ts";
import type { DialFault } from "../net/dial.ts";
import { peekFirstBytes } from "../net/first-bytes.ts";
import { reset } from "../net/reset.ts";
import { Splice } from "../net/splice.ts";
import type { SpliceEnd } from "../net/splice.ts";
import type { Target } from "../stream/transport.ts";

/** A connection without a byte in either direction for so long is closed. */
export const tcpIdleTimeoutMs = 3_600_000;
const connectTimeoutMs = 5_000;
/** A beginning that could be a request is held back for so long, then passed on under watch. */
export const undecidedMs = 150;

export interface InboundTcpOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly target: Target;
  /** The pod says that this port is opaque: nothing is looked at. */
  readonly declared: boolean;
  /** It speaks HTTP: the socket is the callee's from here on, every byte put back. */
  readonly onHttp: () => void;
  /** Once, unless it was HTTP. `reason` is empty when both ends finished. */
  readonly onEnd: (bytesReceived: number, bytesSent: number, reason: string) => void;
}

export class InboundTcp {
  readonly #socket: Socket;
  readonly #options: InboundTcpOptions;
  readonly #onClose = (): void => this.#finish(null, "downstream_closed");
  #upstream: Socket | null = null;
  #splice: Splice | null = null;
  #stopLooking: (() => void) | null = null;
  #decided: boolean;
  #over = false;

  constructor(socket: Socket, options: InboundTcpOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#decided = options.declared;
    socket.once("close", this.#onClose);
    if (options.declared) socket.pause();
    else this.#look();
    dial(
      options.target,
      connectTimeoutMs,
      options.clock,
      (upstream) => this.#dialled(upstream),
      (fault) => this.#failed(fault),
    );
  }

  /** Ends it at once. */
  cut(reason: string): void {
    if (this.#over) return;
    this.#stopLooking?.();
    if (this.#splice !== null) return this.#splice.cut();
    reset(this.#socket);
    this.#upstream?.destroy();
    this.#finish(null, reason);
  }

  #look(): void {
    this.#stopLooking = peekFirstBytes({
      socket: this.#socket,
      clock: this.#options.clock,
      deadlineMs: tcpIdleTimeoutMs,
      undecidedMs,
      bytesMax: HTTP_DETECT_BYTES_MAX,
      classify: detectHttp,
      onVerdict: (verdict) => {
        if (verdict === "http1") this.#isHttp();
        else this.#decide();
      },
      onSilence: (count, why) => {
        if (count === 0 && why === "deadline") this.cut("idle");
        else this.#decide();
      },
      onClosed: () => {},
    });
  }

  #isHttp(): void {
    this.#over = true;
    this.#socket.off("close", this.#onClose);
    this.#upstream?.destroy();
    this.#options.onHttp();
  }

  /** It is opaque, as far as one can tell. */
  #decide(): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#socket.pause();
    this.#join();
  }

  #dialled(upstream: Socket): void {
    if (this.#over) {
      upstream.destroy();
      return;
    }
    this.#upstream = upstream;
    if (this.#decided) this.#join();
    // Its server speaks first, or ends: no reason to wait for the caller any longer.
    else {
      upstream.once("readable", () => this.#upstreamSpoke());
      upstream.once("close", () => {
        if (this.#splice === null) this.cut("upstream_reset");
      });
    }
  }

  #upstreamSpoke(): void {
    if (this.#over) return;
    this.#stopLooking?.();
    this.#decide();
  }

  #failed(fault: DialFault): void {
    if (this.#over) return;
    this.#stopLooking?.();
    reset(this.#socket);
    this.#finish(null, fault);
  }

  #join(): void {
    if (this.#upstream === null || this.#over) return;
    const { deadlines, declared } = this.#options;
    this.#splice = new Splice(this.#socket, this.#upstream, {
      deadlines,
      idleTimeoutMs: tcpIdleTimeoutMs,
      screen: declared ? null : new HttpScreen(),
      onEnd: (end) => this.#finish(end, end.reason === "closed" ? "" : end.reason),
    });
  }

  #finish(end: SpliceEnd | null, reason: string): void {
    if (this.#over || (end === null && this.#splice !== null)) return;
    this.#over = true;
    this.#upstream?.destroy();
    this.#options.onEnd(end?.bytesFromDownstream ?? 0, end?.bytesToDownstream ?? 0, reason);
  }
}
