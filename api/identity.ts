// The records of Identity.Issue; the wire form is known to convert.ts alone.

export interface IssueRequest {
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  /** Projected token for the audience "signet-ca". */
  readonly token: string;
  /** Seconds of life that are asked for; 0 asks for the default. */
  readonly lifetimeS: number;
  /** For the DNS names that the mesh grants to this workload, instead of its identity. */
  readonly serving: boolean;
}

export interface IssueResponse {
  /** DER, leaf first, up to but without the root; never empty. */
  readonly certificateChain: readonly Uint8Array[];
  /** DER of every root that is trusted now; never empty. */
  readonly trustBundle: readonly Uint8Array[];
  /** Milliseconds since the Unix epoch. */
  readonly notAfter: number;
  /** That the leaf stands in a log; whoever uses it checks that (transparency/receipt.ts). */
  readonly receipt: LogReceipt;
}

export interface LogReceipt {
  /** Position in the log, from 0. */
  readonly index: number;
  /** The log's head as a signed note. */
  readonly checkpoint: string;
  /** What was logged. */
  readonly entry: Uint8Array;
  /** Hashes of 32 bytes, from the leaf up. */
  readonly path: Uint8Array;
}
