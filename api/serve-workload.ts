// The sidecar's end of the SPIFFE Workload API, for one connection whose peer the kernel has named. Whom
// the pod's socket does not serve is told so in the answer to each call: a connection that only broke would
// be tried again for ever, and nobody would know why.
import type { Duplex } from "node:stream";
import * as convert from "./convert-workload.ts";
import type { WatchHandler } from "./grpc.ts";
import { serveBytes } from "./grpc.ts";
import type { ByteServer } from "./grpc-server/options.ts";
import * as paths from "./workload-paths.ts";
import { RpcError, rpcCodeOf } from "./rpc-error.ts";
import type { RpcErrorCode } from "./rpc-error.ts";
import type { AnswerStream, WorkloadHandlers } from "./workload.ts";
import {
  workloadAnswerBytesMax,
  workloadHeader,
  workloadMessageBytesMax,
  workloadStreamsMax,
} from "./workload.ts";

export interface WorkloadServing {
  readonly handlers: WorkloadHandlers;
  /** Why this peer is served nothing; null: it is served. */
  readonly refusal: RpcError | null;
  /** Each call at its end: its method, and how it ended ("ok" or the code). */
  readonly onCall: (method: string, outcome: RpcErrorCode | "ok") => void;
}

/** Serves one accepted connection until it ends. */
export function serveWorkload(socket: Duplex, serving: WorkloadServing): ByteServer {
  const { handlers } = serving;
  return serveBytes(socket, {
    messageBytesMax: workloadMessageBytesMax,
    sendBytesMax: workloadAnswerBytesMax,
    streamsMax: workloadStreamsMax,
    refuse: (header) => refuse(header, serving),
    unary: {
      [paths.fetchJwtSvidPath]: call(paths.fetchJwtSvidPath, serving, async (request) => {
        const { audiences, id } = convert.decodeJwtSvidRequest(request);
        return convert.encodeJwtSvids(await handlers.fetchJwtSvid(audiences, id));
      }),
      [paths.validateJwtSvidPath]: call(paths.validateJwtSvidPath, serving, async (request) => {
        const { audience, token } = convert.decodeValidateJwtRequest(request);
        return convert.encodeJwtFacts(handlers.validateJwtSvid(audience, token));
      }),
    },
    watch: {
      [paths.fetchX509SvidPath]: watch(
        paths.fetchX509SvidPath,
        serving,
        convert.encodeX509Svid,
        (stream) => handlers.watchX509Svid(stream),
      ),
      [paths.fetchX509BundlesPath]: watch(
        paths.fetchX509BundlesPath,
        serving,
        convert.encodeX509Bundles,
        (stream) => handlers.watchX509Bundles(stream),
      ),
      [paths.fetchJwtBundlesPath]: watch(
        paths.fetchJwtBundlesPath,
        serving,
        convert.encodeJwtBundles,
        (stream) => handlers.watchJwtBundles(stream),
      ),
    },
  });
}

/** The header first: without it nobody means to speak to us, and nobody is told anything. */
function refuse(
  header: (name: string) => readonly string[],
  { refusal, onCall }: WorkloadServing,
): RpcError | null {
  const values = header(workloadHeader);
  const isMeant = values.length === 1 && values[0] === "true";
  const error = isMeant
    ? refusal
    : new RpcError("invalid_argument", `Cannot serve: header "${workloadHeader}: true" is missing`);
  if (error !== null) onCall("refused", error.code);
  return error;
}

function call(
  method: string,
  { onCall }: WorkloadServing,
  handle: (request: Uint8Array) => Promise<Uint8Array>,
): (request: Uint8Array) => Promise<Uint8Array> {
  return async (request) => {
    try {
      const answer = await handle(request);
      onCall(method, "ok");
      return answer;
    } catch (thrown) {
      onCall(method, rpcCodeOf(thrown));
      throw thrown;
    }
  };
}

function watch<Answer>(
  method: string,
  { onCall }: WorkloadServing,
  encode: (answer: Answer) => Uint8Array,
  open: (stream: AnswerStream<Answer>) => () => void,
): WatchHandler {
  return (_request, bytes) => {
    const close = open({
      send: (answer) => bytes.send(encode(answer)),
      fail: (error) => bytes.fail(error),
    });
    return (error) => {
      close();
      onCall(method, error?.code ?? "ok");
    };
  };
}
