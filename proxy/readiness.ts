// Whether the sidecar may take traffic: an identity that has not ended, and a policy. Pure.
import type { Snapshot } from "#/api/snapshot.ts";
import type { Readiness } from "#/lib/admin.ts";
import type { Credentials } from "./tls/credentials.ts";

export function readiness(
  credentials: Credentials | null,
  snapshot: Snapshot,
  nowMs: number,
  draining: boolean,
): Readiness {
  if (draining) return notReady("draining");
  if (credentials === null) return notReady("no certificate has been issued yet");
  if (credentials.notAfter <= nowMs) return notReady("the certificate has ended");
  if (snapshot.policy === null) return notReady("the controller has sent no policy yet");
  if (!snapshot.synced) return notReady("the controller has not sent everything yet");
  return { ready: true, reason: "" };
}

function notReady(reason: string): Readiness {
  return { ready: false, reason };
}
