// Listening on the links between pods, as somebody on the node could.
import type { Pod } from "../mesh.ts";

export interface Wire {
  /** Resolves when all that these pods send and receive over TCP is captured. */
  listen(pods: readonly Pod[], signal: AbortSignal): Promise<Listening>;
}

/** Disposed of, it ends without an answer; both may be done. */
export interface Listening extends AsyncDisposable {
  stop(): Promise<Heard>;
}

export interface Heard {
  /** pcap files; those of several nodes may show the same packet. None: nothing was captured. */
  readonly captures: readonly Buffer[];
  /** What tcpdump said. */
  readonly complaint: string;
}

/** tcpdump needs a moment until it listens, and at the end until all is written. */
export const CAPTURE_START_MS = 700;
export const CAPTURE_END_MS = 500;

/** Writes to standard output as packets come. Pure. */
export function tcpdumpOf(pods: readonly Pod[]): readonly string[] {
  const filter = pods.map(({ address }) => `host ${address}`).join(" or ");
  const unbuffered = ["-U", "--immediate-mode"];
  const whole = ["-i", "any", "-n", "-s", "0"];
  return ["tcpdump", ...whole, ...unbuffered, "-Z", "root", "-w", "-", `tcp and (${filter})`];
}
