// The controller's end: Identity and Discovery for every connection that TLS accepted. Each connection
// has a gRPC server of its own, bound to the peer that TLS proved: whose call it is follows from the
// socket that it came on and is never looked up.
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { assert } from "#/lib/assert.ts";
import { messageOf } from "#/lib/errors.ts";
import * as convert from "./convert.ts";
import type { Update } from "./discovery.ts";
import type { ByteStream, ByteStreamHandlers, UnaryCall } from "./grpc-server/options.ts";
import { serveCalls } from "./grpc-server/server.ts";
import type { IssueJwtRequest, IssueJwtResponse, IssueRequest, IssueResponse } from "./identity.ts";
import { issueJwtPath, issuePath, subscribePath } from "./paths.ts";
import * as rpc from "./rpc.ts";
import { RpcError, rpcCodeOf } from "./rpc-error.ts";
import { listenTls } from "./serving-tls.ts";
import type { Peer, Served } from "./serving-tls.ts";

type Scope = Pick<rpc.ControllerServerOptions, "handlers" | "log" | "onCall">;

/** Serves Identity and Discovery. Rejects with ServingError when the port cannot be had. */
export function serveController(
  options: rpc.ControllerServerOptions,
): Promise<rpc.ControllerServer> {
  const issue = issueOf(options);
  const issueJwt = issueJwtOf(options);
  return listenTls({
    ...options,
    onConnection: (socket, peer) => {
      const streams = new Set<Stream>();
      const isAnonymous = peer.identity === null;
      const server = serveCalls(socket, {
        messageBytesMax: isAnonymous ? rpc.issueMessageBytesMax : rpc.subscribeMessageBytesMax,
        sendBytesMax: rpc.updateMessageBytesMax,
        streamsMax: isAnonymous ? rpc.anonymousStreamsMax : rpc.identifiedStreamsMax,
        unary: {
          [issuePath]: (bytes, call) => answer(options, peer, issue, bytes, call),
          [issueJwtPath]: (bytes, call) => answer(options, peer, issueJwt, bytes, call),
        },
        duplex: { [subscribePath]: (bytes) => subscribe(options, peer, bytes, streams) },
        clock: options.clock,
      });
      return withStreams(server, streams);
    },
  });
}

function withStreams(server: Served, streams: ReadonlySet<Stream>): Served {
  return {
    drain() {
      server.drain();
      for (const stream of streams) stream.end(new RpcError("unavailable", "Connection drains"));
    },
    destroy: () => server.destroy(),
  };
}

function issueOf({ handlers }: Scope): Unary<IssueRequest, IssueResponse> {
  return {
    path: issuePath,
    decode: convert.decodeIssueRequest,
    encode: convert.encodeIssueResponse,
    handle: (request, caller) => handlers.issue(request, caller),
  };
}

function issueJwtOf({ handlers }: Scope): Unary<IssueJwtRequest, IssueJwtResponse> {
  return {
    path: issueJwtPath,
    decode: convert.decodeIssueJwtRequest,
    encode: convert.encodeIssueJwtResponse,
    handle: (request, caller) => handlers.issueJwt(request, caller),
  };
}

type Unary<Request, Response> = Readonly<{
  path: string;
  decode: (bytes: Uint8Array) => Request;
  encode: (response: Response) => Uint8Array;
  handle: (request: Request, caller: rpc.Caller) => Promise<Response>;
}>;

async function answer<Request, Response>(
  scope: Scope,
  peer: Peer,
  { path, decode, encode, handle }: Unary<Request, Response>,
  bytes: Uint8Array,
  call: UnaryCall,
): Promise<Uint8Array> {
  try {
    if (bytes.length > rpc.issueMessageBytesMax) {
      throw new RpcError("resource_exhausted", `Cannot issue: request has ${bytes.length} bytes`);
    }
    const caller: rpc.Caller = {
      peer,
      get signal() {
        return call.signal;
      },
    };
    const encoded = encode(await handle(decode(bytes), caller));
    scope.onCall?.(path, "ok");
    return encoded;
  } catch (thrown) {
    throw refusal(scope, path, peer, thrown);
  }
}

function subscribe(
  scope: Scope,
  peer: Peer,
  bytes: ByteStream,
  streams: Set<Stream>,
): ByteStreamHandlers {
  const stream = new Stream(scope, peer, bytes);
  // The stream may end in here already: then the caller has no handlers yet, and needs none.
  queueMicrotask(() => stream.open());
  streams.add(stream);
  return {
    onMessage: (message) => stream.receive(message),
    onEnd() {
      streams.delete(stream);
      stream.finish();
    },
  };
}

class Stream implements rpc.SubscriberStream {
  readonly peer: Peer;
  readonly #scope: Scope;
  readonly #bytes: ByteStream;
  readonly #early: Uint8Array[] = [];
  #handlers: rpc.SubscriberHandlers | null = null;
  #isEnded = false;

  constructor(scope: Scope, peer: Peer, bytes: ByteStream) {
    this.peer = peer;
    this.#scope = scope;
    this.#bytes = bytes;
  }

  get identity(): SpiffeId {
    assert(this.peer.identity !== null, "a stream that was opened has an identity");
    return this.peer.identity;
  }

  open(): void {
    if (this.#isEnded) return;
    this.#guard(() => {
      if (this.peer.identity === null) {
        throw new RpcError("unauthenticated", "Cannot subscribe: no certificate was shown");
      }
      this.#handlers = this.#scope.handlers.subscribe(this);
      for (const bytes of this.#early.splice(0)) this.receive(bytes);
    });
  }

  receive(bytes: Uint8Array): void {
    if (this.#isEnded) return;
    const handlers = this.#handlers;
    if (handlers === null) this.#early.push(bytes);
    else this.#guard(() => handlers.onMessage(convert.decodeSubscriberMessage(bytes)));
  }

  send(update: Update): void {
    if (!this.#isEnded) this.#bytes.send(convert.encodeUpdate(update));
  }

  end(error: RpcError): void {
    this.#fail(error);
  }

  /** The stream is over, for whatever reason. */
  finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#scope.onCall?.(subscribePath, "ok");
    this.#handlers?.onEnd();
  }

  #fail(thrown: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#bytes.fail(refusal(this.#scope, subscribePath, this.peer, thrown));
    this.#handlers?.onEnd();
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }
}

/** One function from anything thrown to what the peer hears. The reason stays here, in the log. */
function refusal(scope: Scope, method: string, peer: Peer, thrown: unknown): RpcError {
  const code = rpcCodeOf(thrown);
  scope.log[code === "internal" ? "error" : "info"]("call refused", {
    method,
    "src.addr": peer.address,
    "src.identity": peer.identity,
    verdict: code,
    reason: messageOf(thrown),
  });
  scope.onCall?.(method, code);
  return new RpcError(code, messageOf(thrown), { cause: thrown });
}
