// What the SPIFFE Workload API says, as records; the wire form is known to convert-workload.ts alone. The
// service is the specification's, and so is its manner: every call carries a header that a browser or a
// careless proxy cannot send, and a stream begins with the present answer and brings each later one whole.
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { RpcError } from "./rpc-error.ts";

/** Every call must carry this header with the value "true". */
export const workloadHeader = "workload.spiffe.io";

/** Requests carry some names and a token at most. */
export const workloadMessageBytesMax = 65_536;
/** Calls at once on one connection; a client holds one stream for each kind of answer. */
export const workloadStreamsMax = 16;

/** One identity of the caller, and what proves it. */
export interface X509Svid {
  readonly id: SpiffeId;
  /** DER, leaf first, up to but without the root. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8, DER: it is the caller's own, and nobody else's. */
  readonly privateKey: Uint8Array;
  /** DER of every root that its trust domain has. */
  readonly roots: readonly Uint8Array[];
}

/** DER of the roots of each trust domain. */
export type X509Bundles = ReadonlyMap<TrustDomain, readonly Uint8Array[]>;

/** The server's end of one stream of answers. */
export interface AnswerStream<Answer> {
  /** Does nothing once the stream has ended. */
  send(answer: Answer): void;
  /** Ends the stream; the caller hears code and message. */
  fail(error: RpcError): void;
}

export interface WorkloadHandlers {
  /** Sends now and at each change until the returned function is called; must not throw. */
  watchX509Svid(stream: AnswerStream<X509Svid>): () => void;
  watchX509Bundles(stream: AnswerStream<X509Bundles>): () => void;
}
