// The sidecar's end: a connection to the one controller whose SPIFFE ID is expected, under pinned
// roots. It ends with the certificate that opened it; its owner makes the next one with the next
// certificate, before that, and moves its subscription over.
import { readLeaf } from "#/identity/svid.ts";
import { messageOf } from "#/lib/errors.ts";
import * as convert from "./convert.ts";
import { atTime } from "./deadline.ts";
import type { Hello, SubscriberMessage, Update } from "./discovery.ts";
import { DiscoveryError } from "./discovery.ts";
import type { ByteClient } from "./grpc.ts";
import { createByteClient } from "./grpc.ts";
import type { IssueRequest, IssueResponse } from "./identity.ts";
import { issuePath, subscribePath } from "./paths.ts";
import * as rpc from "./rpc.ts";
import { RpcError } from "./rpc-error.ts";
import { contextOptions } from "./tls-context.ts";

/** Nothing is sent before the first call. */
export function connectController(
  options: rpc.ControllerConnectionOptions,
): rpc.ControllerConnection {
  return new Connection(options);
}

/** A call that is under way; `reason` is set when we end it ourselves. */
/**
 * How long before the end of the controller's certificate its streams are told, so that they can move without
 * a gap; less of a short life. The controller drains them soon after (serving-tls.ts).
 */
const endingMsMax = 20_000;
const endingShare = 3 / 8;

interface OpenCall {
  reason: RpcError | null;
  cancel(): void;
}

class Connection implements rpc.ControllerConnection {
  readonly #options: rpc.ControllerConnectionOptions;
  readonly #calls = new Set<OpenCall>();
  readonly #subscriptions = new Set<rpc.SubscriptionHandlers>();
  #cancelOwnEnd: () => void = () => {};
  #cancelServerEnd: () => void = () => {};
  #cancelServerEnding: () => void = () => {};
  #client: ByteClient;
  #closed: RpcError | null = null;

  constructor(options: rpc.ControllerConnectionOptions) {
    this.#options = options;
    this.#client = this.#createClient();
    const { svid, clock } = options;
    if (svid === null) return;
    const end = (): void => this.#end(unavailable("our certificate has ended"));
    this.#cancelOwnEnd = atTime(clock, svid.notAfter, end);
  }

  async issue(
    request: IssueRequest,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<IssueResponse> {
    if (this.#closed !== null) throw this.#closed;
    if (signal?.aborted) throw cancelled();
    const deadline = this.#options.clock.now() + deadlineMs;
    const unary = this.#client.unary(issuePath, convert.encodeIssueRequest(request), deadline);
    const call: OpenCall = { reason: null, cancel: () => unary.cancel() };
    const onAbort = (): void => endCall(call, cancelled());
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#calls.add(call);
    try {
      return convert.decodeIssueResponse(await unary.answer);
    } catch (thrown) {
      if (call.reason !== null) throw call.reason;
      if (thrown instanceof RpcError) throw thrown;
      throw new RpcError("internal", messageOf(thrown), { cause: thrown });
    } finally {
      this.#calls.delete(call);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  subscribe(hello: Hello, handlers: rpc.SubscriptionHandlers): rpc.Subscription {
    const reason = this.#closed;
    if (reason !== null) {
      queueMicrotask(() => handlers.onEnd(reason));
      return { ack() {}, nack() {}, close() {} };
    }
    let isOpen = true;
    const stream = this.#client.duplex(subscribePath, {
      onMessage: (bytes) => {
        if (isOpen) receive(bytes, send, handlers);
      },
      onEnd: (error) => {
        this.#calls.delete(call);
        this.#subscriptions.delete(handlers);
        if (!isOpen) return;
        isOpen = false;
        handlers.onEnd(call.reason ?? error);
      },
    });
    const call: OpenCall = { reason: null, cancel: () => stream.cancel() };
    const send = (message: SubscriberMessage): void => {
      if (isOpen) stream.send(convert.encodeSubscriberMessage(message));
    };
    this.#calls.add(call);
    this.#subscriptions.add(handlers);
    send({ kind: "hello", ...hello });
    return {
      ack: (sequence) => send({ kind: "ack", sequence }),
      nack: (sequence, reason) => send({ kind: "nack", sequence, reason }),
      close: () => {
        isOpen = false;
        this.#subscriptions.delete(handlers);
        stream.cancel();
      },
    };
  }

  close(): void {
    this.#end(cancelled());
  }

  #end(reason: RpcError): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.#cancelOwnEnd();
    this.#cancelServerEnd();
    this.#cancelServerEnding();
    this.#client.close();
    for (const call of this.#calls) endCall(call, reason);
  }

  #createClient(): ByteClient {
    const { address, svid, roots } = this.#options;
    return createByteClient({
      address,
      tls: contextOptions(svid, roots),
      checkServer: (leaf) => this.#checkServer(leaf),
      messageBytesMax: rpc.updateMessageBytesMax,
    });
  }

  /** OpenSSL has verified the chain against our roots; whose it is, is read from the DER. */
  #checkServer(der: Uint8Array): Error | undefined {
    const { expectedIdentity, clock } = this.#options;
    try {
      const { id, notAfter } = readLeaf(der);
      if (id !== expectedIdentity) {
        return new Error(`Cannot trust the controller: it is "${id}", not "${expectedIdentity}"`);
      }
      this.#cancelServerEnd();
      this.#cancelServerEnd = atTime(clock, notAfter, () => this.#leaveConnection());
      const leadMs = Math.min(endingMsMax, endingShare * (notAfter - clock.now()));
      this.#cancelServerEnding();
      this.#cancelServerEnding = atTime(clock, notAfter - leadMs, () => {
        for (const handlers of this.#subscriptions) handlers.onEnding?.();
      });
      return undefined;
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
    }
  }

  /** The server's certificate has ended: what is open ends, what comes makes a new connection. */
  #leaveConnection(): void {
    this.#client.close();
    this.#client = this.#createClient();
    const reason = unavailable("the certificate of the controller has ended");
    for (const call of this.#calls) endCall(call, reason);
  }
}

/** An update that cannot be read is refused by its sequence. */
function receive(
  bytes: Uint8Array,
  send: (message: SubscriberMessage) => void,
  handlers: rpc.SubscriptionHandlers,
): void {
  let update: Update;
  try {
    update = convert.decodeUpdate(bytes);
  } catch (thrown) {
    if (!(thrown instanceof DiscoveryError)) throw thrown;
    send({ kind: "nack", sequence: convert.sequenceOf(bytes), reason: thrown.message });
    handlers.onUnreadable?.(thrown);
    return;
  }
  handlers.onUpdate(update);
}

function endCall(call: OpenCall, reason: RpcError): void {
  call.reason = reason;
  call.cancel();
}

function unavailable(state: string): RpcError {
  return new RpcError("unavailable", `Cannot go on with the connection: ${state}`);
}

function cancelled(): RpcError {
  return new RpcError("cancelled", "Cannot go on with the call: it was cancelled");
}
