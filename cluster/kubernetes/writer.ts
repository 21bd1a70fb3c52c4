// Who writes into the cluster, and under which name: the holder of the one lease.
import type { Watch } from "#/lib/watch.ts";

export interface Writer {
  /** Looked at before each write. */
  readonly isHeld: Watch<boolean>;
}

/** Whose fields they are, for server-side apply. */
export const fieldManager = "signet-controller";
