// What the ledger holds of one certificate: what was issued, to whom, and who asked.
export interface LedgerEntry {
  /** SPIFFE ID. */
  readonly id: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly podUid: string;
  /** Where the pod runs; empty when that is not known. */
  readonly node: string;
  /** From where it was asked for. */
  readonly address: string;
  /** SHA-256 of the identifier of the token that proved it, hex; empty for our own process. */
  readonly tokenHash: string;
  /** What it is for, who vouched for whoever asked, and who chose its life; see policyText. */
  readonly policy: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex. */
  readonly serial: string;
  /** Serial of the issuer, lower-case hex. */
  readonly issuerSerial: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly keyFingerprint: string;
  /** DER of the leaf. */
  readonly certificate: Uint8Array;
}

export interface LedgerRecord extends LedgerEntry {
  /** Position, from 0, without gaps. */
  readonly index: number;
}

export interface LedgerQuery {
  readonly namespace?: string;
  readonly pod?: string;
  /** Lower-case hex. */
  readonly serial?: string;
  /** Only what lies before this position: for reading on. */
  readonly before?: number;
  /** 1 to `recordsMax`; default `recordsMax`. */
  readonly limit?: number;
}

/** Of one answer. */
export const recordsMax = 1_000;
