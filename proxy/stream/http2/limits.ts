// What a connection between two sidecars may do and hold. Both ends have proven who they are, and a sidecar in front
// passes on what its applications do: so more than a stranger's connection.
import type { ConnectionLimits } from "#/http/http2/limits.ts";

export const sidecarLimits: ConnectionLimits = {
  streamsMax: 1000,
  streamWindowBytes: 256 * 1024,
  // So many slow readers' streams before others have to wait for them: 128.
  connectionWindowBytes: 32 * 1024 * 1024,
  // Callers give up in crowds, when a route's timeout is too short, or their own caller has gone.
  resets: { burst: 10_000, perSecond: 1_000 },
  idleFrames: { burst: 10_000, perSecond: 1_000 },
  sendStallMaxMs: 300_000,
};

/** Connections to one endpoint that take new streams: a second one when all streams of the first are taken. */
export const CONNECTIONS_MAX = 2;

/** After so long without an acknowledgement of our settings there is no HTTP/2 at the other end. */
export const SETTINGS_TIMEOUT_MS = 10_000;

/** An endpoint that chose HTTP/1.1 is asked again after so long: its sidecar may be a newer one by then. */
export const HTTP1_MEMORY_MS = 60_000;
