// What the threads of a sidecar say to one another. Everything is copied by the structured clone; a private key
// goes as a KeyObject, which is a reference to the same memory: there is one copy of it in the process.
import type { FamilyReading } from "#/lib/metrics-text.ts";
import type { ProxyConfig } from "../config.ts";
import type { CredentialMaterial } from "../tls/credentials.ts";
import type { SnapshotDelta } from "./snapshot-delta.ts";

/** What a worker starts with. */
export interface WorkerStart {
  readonly name: string;
  readonly config: ProxyConfig;
  readonly descriptorsMax: number;
  readonly material: CredentialMaterial | null;
  /** Against nothing at all. */
  readonly snapshot: SnapshotDelta;
}

/** `state` and `alive` are answered by `applied` with their number, once what they say holds. */
export type ToWorker =
  | {
      readonly kind: "state";
      readonly sequence: number;
      /** Absent: as it was. */
      readonly material?: CredentialMaterial | null;
      readonly snapshot?: SnapshotDelta;
    }
  | { readonly kind: "alive"; readonly sequence: number }
  | { readonly kind: "read_metrics"; readonly request: number }
  /** The last `log` is written. */
  | { readonly kind: "logged" }
  | { readonly kind: "end"; readonly drainMs: number };

export type FromWorker =
  | { readonly kind: "listening" }
  | { readonly kind: "applied"; readonly sequence: number }
  /** `request` null: its last, before it ends. */
  | {
      readonly kind: "metrics";
      readonly request: number | null;
      readonly families: readonly FamilyReading[];
    }
  /** Lines of the access log; one message at a time. */
  | { readonly kind: "log"; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string };
