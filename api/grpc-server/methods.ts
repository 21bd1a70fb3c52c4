// The two kinds of methods: one answer to one request, and messages both ways.
import { RpcError } from "../rpc-error.ts";
import type { Call, CallHandlers } from "./call.ts";
import type { DuplexHandler, UnaryCall, UnaryHandler } from "./options.ts";

/** `cancel` is called once the call has ended. */
export function serveUnary(call: Call, handle: UnaryHandler, cancel: () => void): void {
  call.handlers = new Unary(call, handle, cancel);
}

class Unary implements CallHandlers, UnaryCall {
  readonly #call: Call;
  readonly #handle: UnaryHandler;
  readonly #cancel: () => void;
  #request: Buffer | null = null;
  #abort: AbortController | null = null;
  #isOver = false;
  #isAnswered = false;

  constructor(call: Call, handle: UnaryHandler, cancel: () => void) {
    this.#call = call;
    this.#handle = handle;
    this.#cancel = cancel;
  }

  /** Made for who asks for it: few do, and it costs more than a call's framing. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isOver && !this.#isAnswered) this.#abort.abort(gaveUp());
    return this.#abort.signal;
  }

  onMessage(bytes: Buffer): void {
    if (this.#request === null) this.#request = bytes;
    else this.#call.fail(new RpcError("unimplemented", "Cannot take a second request"));
  }

  onLast(): void {
    const request = this.#request;
    if (request !== null) void this.#answer(request);
    else this.#call.fail(new RpcError("unimplemented", "Cannot answer: there was no request"));
  }

  onEnd(): void {
    this.#isOver = true;
    this.#cancel();
    if (!this.#isAnswered) this.#abort?.abort(gaveUp());
  }

  async #answer(request: Buffer): Promise<void> {
    let answer: Uint8Array;
    try {
      answer = await this.#handle(request, this);
    } catch (thrown) {
      this.#isAnswered = true;
      const error =
        thrown instanceof RpcError ? thrown : new RpcError("internal", "Internal fault");
      return this.#call.fail(error);
    }
    this.#isAnswered = true;
    this.#call.send(answer);
    this.#call.finish();
  }
}

export function serveDuplex(call: Call, open: DuplexHandler, cancel: () => void): void {
  const handlers = open({
    send: (bytes) => call.send(bytes),
    fail: (error) => call.fail(error),
  });
  call.handlers = {
    onMessage: (bytes) => handlers.onMessage(bytes),
    onLast: () => call.finish(),
    onEnd() {
      cancel();
      handlers.onEnd();
    },
  };
}

function gaveUp(): RpcError {
  return new RpcError("cancelled", "Caller gave up");
}
