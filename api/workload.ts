// What the SPIFFE Workload API says, as records; the wire form is known to convert-workload.ts alone. The
// service is the specification's, and so is its manner: every call carries a header that a browser or a
// careless proxy cannot send, and a stream begins with the present answer and brings each later one whole.
import type { JwtFacts } from "#/identity/jwt-svid.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { RpcError } from "./rpc-error.ts";

/** Every call must carry this header with the value "true". */
export const workloadHeader = "workload.spiffe.io";

/** Requests carry some names and a token at most. */
export const workloadMessageBytesMax = 65_536;
/** Answers carry the bundles of all federated trust domains; what clients take by default (gRPC: 4 MiB). */
export const workloadAnswerBytesMax = 4_194_304;
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
  /** Of other trust domains. */
  readonly federated: X509Bundles;
}

/** DER of the roots of each trust domain. */
export type X509Bundles = ReadonlyMap<TrustDomain, readonly Uint8Array[]>;

/** The JWK Set of each trust domain, JSON. */
export type JwtBundles = ReadonlyMap<TrustDomain, string>;

/** A token that names the caller. */
export interface JwtSvid {
  readonly id: SpiffeId;
  /** JWS, compact. */
  readonly token: string;
}

export interface JwtSvidRequest {
  readonly audiences: readonly string[];
  /** The identity that is meant; empty: any of the caller's. */
  readonly id: string;
}

export interface ValidateJwtRequest {
  readonly audience: string;
  readonly token: string;
}

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
  watchJwtBundles(stream: AnswerStream<JwtBundles>): () => void;
  /** Rejects with RpcError. */
  fetchJwtSvid(audiences: readonly string[], id: string): Promise<readonly JwtSvid[]>;
  /** Throws RpcError unless the token is genuine, for the audience, and lives. */
  validateJwtSvid(audience: string, token: string): JwtFacts;
}
