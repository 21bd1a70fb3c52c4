// What a hostile program is told, as JSON in a file, and what it says in the end.

export interface VolumePlan {
  readonly work: "slowloris" | "idle-10000" | "handshakes";
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly connections: number;
  readonly holdS: number;
  /** Of `handshakes`: a certificate and its key, or a controller that certifies. */
  readonly member: MemberByKey | MemberOfMesh | null;
}

export interface MemberByKey {
  readonly kind: "key";
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly alpn: readonly string[];
}

export interface MemberOfMesh {
  readonly kind: "mesh";
  readonly controller: string;
  readonly token: string;
  /** PEM file. */
  readonly bundle: string;
  readonly alpn: readonly string[];
}

export interface VolumeResult {
  /** Connections opened (slowloris, idle), or handshakes completed. */
  readonly done: number;
  readonly failed: number;
  /** Of the slow heads: how many the proxy cut off, and after how many milliseconds (median; null: none). */
  readonly cut: number;
  readonly cutMs: number | null;
  readonly seconds: number;
}

/** Printed when the hostile part is under way. */
export const readyLine = "ready";
