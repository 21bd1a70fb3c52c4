// The only file that imports @grpc/grpc-js; none of its types leave it. It moves bytes: messages of
// the model are made and read by serve.ts and connect.ts, so what cannot be decoded is answered by us
// and on that stream alone.
import grpc from "@grpc/grpc-js";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import type { SecureContextOptions } from "node:tls";
import { messageOf } from "#/lib/errors.ts";
import { parseHostPort } from "#/lib/ip.ts";
import type { ByteServer, ByteStream } from "./grpc-server/options.ts";
import type { RpcErrorCode } from "./rpc-error.ts";
import { RpcError } from "./rpc-error.ts";

/** What grpc-js has to say goes into statuses; it must not write to the console by itself. */
grpc.setLogVerbosity(grpc.logVerbosity.NONE);

const statuses = {
  unauthenticated: grpc.status.UNAUTHENTICATED,
  permission_denied: grpc.status.PERMISSION_DENIED,
  invalid_argument: grpc.status.INVALID_ARGUMENT,
  not_found: grpc.status.NOT_FOUND,
  failed_precondition: grpc.status.FAILED_PRECONDITION,
  resource_exhausted: grpc.status.RESOURCE_EXHAUSTED,
  deadline_exceeded: grpc.status.DEADLINE_EXCEEDED,
  unavailable: grpc.status.UNAVAILABLE,
  unimplemented: grpc.status.UNIMPLEMENTED,
  cancelled: grpc.status.CANCELLED,
  internal: grpc.status.INTERNAL,
} as const satisfies Record<RpcErrorCode, grpc.status>;

const codes: ReadonlyMap<number, RpcErrorCode> = new Map(
  Object.entries(statuses).map(([code, status]) => [status, code as RpcErrorCode]),
);

const keepalive = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
};
/** Megabytes that one HTTP/2 session may hold; more than the flow control windows of its streams. */
const sessionMemoryMib = 32;
/** Answers of one stream that wait for a reader who takes none. */
const answersUnreadMax = 16;
/** For calls under way when a connection drains; its end comes by the clock in any case. */
const drainGraceMs = 10_000;

/** Returns what to call at the end: with null when the peer ended it. */
export type WatchHandler = (
  request: Uint8Array,
  stream: ByteStream,
) => (error: RpcError | null) => void;

interface ByteServerOptions {
  readonly messageBytesMax: number;
  readonly sendBytesMax: number;
  readonly streamsMax: number;
  /** By path; rejects with RpcError, whose code the peer hears. */
  readonly unary: Readonly<
    Record<string, (bytes: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>>
  >;
  /** By path: many answers to one request. Must not throw. */
  readonly watch: Readonly<Record<string, WatchHandler>>;
  /** Asked before each call: what it returns is the answer. */
  readonly refuse: (header: (name: string) => readonly string[]) => RpcError | null;
}

const passThrough = (bytes: Buffer): Buffer => bytes;
const toBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Serves gRPC on one connection, whose other end the kernel has named, and which may read what an error says. For
 * callers of every make: some name no host that our own server takes (see grpc-server/, which serves the mesh's).
 */
export function serveBytes(socket: Duplex, options: ByteServerOptions): ByteServer {
  const server = new grpc.Server({
    ...keepalive,
    "grpc.enable_channelz": 0,
    "grpc-node.max_session_memory": sessionMemoryMib,
    "grpc.max_concurrent_streams": options.streamsMax,
    // Compressed messages are bounded by the same size, before and after (attack case 52).
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_send_message_length": options.sendBytesMax,
  });
  for (const [path, handle] of Object.entries(options.unary)) {
    server.register(path, unaryHandler(handle, options), toBuffer, passThrough, "unary");
  }
  for (const [path, handle] of Object.entries(options.watch)) {
    server.register(path, watchHandler(handle, options), toBuffer, passThrough, "serverStream");
  }
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  injector.injectConnection(socket);
  return {
    drain: () => injector.drain(drainGraceMs),
    destroy: () => server.forceShutdown(),
  };
}

type Manners = Pick<ByteServerOptions, "refuse">;

function refusalOf({ refuse }: Manners, metadata: grpc.Metadata): RpcError | null {
  return refuse((name) => metadata.get(name).map(String));
}

function unaryHandler(
  handle: (bytes: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>,
  manners: Manners,
): grpc.handleUnaryCall<Buffer, Uint8Array> {
  return (call, done) => {
    const refusal = refusalOf(manners, call.metadata);
    if (refusal !== null) return done(statusOf(refusal));
    const abort = new AbortController();
    let isAnswered = false;
    // grpc-js says so at the end of every call, of those that were answered, too.
    call.on("cancelled", () => {
      if (!isAnswered) abort.abort(new RpcError("cancelled", "Caller gave up"));
    });
    void answerUnary(
      () => handle(call.request, abort.signal),
      (error, bytes) => {
        isAnswered = true;
        done(error, bytes);
      },
    );
  };
}

async function answerUnary(
  handle: () => Promise<Uint8Array>,
  done: grpc.sendUnaryData<Uint8Array>,
): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = await handle();
  } catch (thrown) {
    const error = thrown instanceof RpcError ? thrown : new RpcError("internal", "Internal fault");
    return done(statusOf(error));
  }
  done(null, bytes);
}

function watchHandler(
  handle: WatchHandler,
  manners: Manners,
): grpc.handleServerStreamingCall<Buffer, Uint8Array> {
  return (call) => {
    const refusal = refusalOf(manners, call.metadata);
    if (refusal !== null) {
      call.emit("error", statusOf(refusal));
      return;
    }
    const end = Promise.withResolvers<RpcError | null>();
    let isOpen = true;
    const finish = (error: RpcError | null): void => {
      isOpen = false;
      end.resolve(error);
    };
    const stream: ByteStream = {
      send(bytes) {
        if (!isOpen) return;
        if (call.writableLength < answersUnreadMax) call.write(bytes);
        else stream.fail(new RpcError("resource_exhausted", "Cannot go on: answers are not read"));
      },
      fail(error) {
        if (!isOpen) return;
        finish(error);
        call.emit("error", statusOf(error));
      },
    };
    call.on("cancelled", () => finish(null));
    call.on("close", () => finish(null));
    // It may end in there already, before there is anything to call.
    const onEnd = handle(call.request, stream);
    void end.promise.then(onEnd);
  };
}

function statusOf({ code, message }: RpcError): Error & { code: grpc.status; details: string } {
  return Object.assign(new Error(message), { code: statuses[code], details: message });
}

export interface ByteClientOptions {
  /** "host:port"; the host may end in a dot. */
  readonly address: string;
  readonly tls: SecureContextOptions;
  /** Called with the leaf's DER after OpenSSL verified its chain; what it returns ends the handshake. */
  readonly checkServer: (leaf: Uint8Array) => Error | undefined;
  readonly messageBytesMax: number;
}

interface ByteCall {
  readonly answer: Promise<Uint8Array>;
  cancel(): void;
}

interface ByteClientStream {
  send(bytes: Uint8Array): void;
  cancel(): void;
}

interface ByteClientStreamHandlers {
  onMessage(bytes: Uint8Array): void;
  /** Once or more. */
  onEnd(error: RpcError): void;
}

/** A channel: connects at the first call, and again by itself when the connection was lost. */
export interface ByteClient {
  /** `deadline`: milliseconds since the Unix epoch. The answer rejects with RpcError. */
  unary(path: string, request: Uint8Array, deadline: number): ByteCall;
  duplex(path: string, handlers: ByteClientStreamHandlers): ByteClientStream;
  /** Takes no new call; cancel the open ones. */
  close(): void;
}

export function createByteClient(options: ByteClientOptions): ByteClient {
  const client = createClient(options);
  return {
    unary(path, request, deadline) {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      const call = client.makeUnaryRequest(
        path,
        toBuffer,
        passThrough,
        request,
        new grpc.Metadata(),
        { deadline },
        (error, bytes) => {
          if (error !== null) reject(errorOf(path, error));
          else resolve(bytes ?? new Uint8Array());
        },
      );
      return { answer: promise, cancel: () => call.cancel() };
    },
    duplex(path, handlers) {
      const stream = client.makeBidiStreamRequest(path, toBuffer, passThrough, new grpc.Metadata());
      stream.on("data", (bytes: Buffer) => handlers.onMessage(bytes));
      stream.on("error", (error: grpc.ServiceError) => handlers.onEnd(errorOf(path, error)));
      stream.on("end", () => {
        handlers.onEnd(new RpcError("unavailable", `Cannot go on with "${path}": it was ended`));
      });
      return {
        send: (bytes) => void stream.write(bytes),
        cancel: () => stream.cancel(),
      };
    },
    close: () => client.close(),
  };
}

function createClient({
  address,
  tls,
  checkServer,
  messageBytesMax,
}: ByteClientOptions): grpc.Client {
  const name = serverNameOf(address);
  const credentials = grpc.ChannelCredentials.createFromSecureContext(createSecureContext(tls), {
    checkServerIdentity: (_host, certificate) => checkServer(certificate.raw),
  });
  return new grpc.Client(`dns:${address}`, credentials, {
    ...keepalive,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.ssl_target_name_override": name,
    "grpc.default_authority": name,
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.initial_reconnect_backoff_ms": 250,
    "grpc.max_reconnect_backoff_ms": 5_000,
    "grpc.dns_min_time_between_resolutions_ms": 1_000,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.enable_channelz": 0,
    // The environment of a pod is its tenant's: neither it nor DNS may redirect or configure us.
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
  });
}

/** Only for SNI and logs of the other side: nothing is decided by it. SNI may not hold an address. */
function serverNameOf(address: string): string {
  const { host } = parseHostPort(address);
  return isIP(host) === 0 ? host.replace(/\.$/, "") : "signet-controller";
}

function errorOf(path: string, error: grpc.ServiceError): RpcError {
  const code = codes.get(error.code) ?? "internal";
  return new RpcError(code, `Cannot call "${path}": ${error.details ?? messageOf(error)}`);
}
