// Whether the sidecar may take traffic: an identity that has not ended, and a policy; and, where the pod's
// processes were promised an identity of their own, that one, too. Pure.
import type { Snapshot } from "#/api/snapshot.ts";
import type { Svid } from "#/identity/svid.ts";
import type { Readiness } from "#/lib/admin.ts";
import type { Credentials } from "./tls/credentials.ts";

export interface Standing {
  readonly credentials: Pick<Credentials, "notAfter"> | null;
  readonly snapshot: Pick<Snapshot, "policy" | "synced">;
  /** What the Workload API hands out. */
  readonly workload: Pick<Svid, "notAfter"> | "not_asked" | null;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
  readonly draining: boolean;
  /** Every thread that is to carry traffic takes connections. */
  readonly isListening: boolean;
}

export function readiness(standing: Standing): Readiness {
  const { credentials, snapshot, workload, nowMs, draining, isListening } = standing;
  if (draining) return notReady("draining");
  if (credentials === null) return notReady("no certificate has been issued yet");
  if (credentials.notAfter <= nowMs) return notReady("the certificate has ended");
  if (snapshot.policy === null) return notReady("the controller has sent no policy yet");
  if (!snapshot.synced) return notReady("the controller has not sent everything yet");
  if (workload === null) return notReady("no certificate has been issued for the workload");
  if (!isListening) return notReady("a worker is being replaced");
  return { ready: true, reason: "" };
}

function notReady(reason: string): Readiness {
  return { ready: false, reason };
}
