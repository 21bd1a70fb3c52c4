// Listening on the links between pods, as somebody on the node could.
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Pod } from "../mesh.ts";
import type { ImageNames } from "./manifests.ts";

export interface Wire {
  /** Resolves when all that these pods send and receive over TCP is captured. */
  listen(pods: readonly Pod[], images: ImageNames, signal: AbortSignal): Promise<Listening>;
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

/** At the end tcpdump needs a moment until all is written. */
export const CAPTURE_END_MS = 500;
const LISTENING_MS_MAX = 20_000;

/** Until tcpdump says on its standard error that it listens. */
export class UntilListening {
  readonly #heard = Promise.withResolvers<void>();
  #text = "";

  /** For what it says, as it comes. */
  readonly onStderr = (text: string): void => {
    this.#text += text;
    if (this.#text.includes("listening on ")) this.#heard.resolve();
  };

  /** Rejects with MeshAccessError when it ends before, or does not come to it. */
  async wait(running: Promise<unknown>, clock: Clock, signal: AbortSignal): Promise<void> {
    const over = running.then(
      () => this.#text.trim(),
      (thrown: unknown) => messageOf(thrown),
    );
    const late = sleep(clock, LISTENING_MS_MAX, signal).then(() => "it takes too long to start");
    late.catch(() => undefined);
    const failure = await Promise.race([this.#heard.promise, over, late]);
    if (typeof failure !== "string") return;
    throw new MeshAccessError("failed", `Cannot listen on the pods' links: tcpdump: ${failure}`, {
      next: "See that tcpdump runs there",
    });
  }
}

/** Writes to standard output as packets come. Pure. */
export function tcpdumpOf(pods: readonly Pod[]): readonly string[] {
  const filter = pods.map(({ address }) => `host ${address}`).join(" or ");
  const unbuffered = ["-U", "--immediate-mode"];
  const whole = ["-i", "any", "-n", "-s", "0"];
  return ["tcpdump", ...whole, ...unbuffered, "-Z", "root", "-w", "-", `tcp and (${filter})`];
}
