// The links of the mesh on this machine: they all end in one network namespace.
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { runUntil } from "./run-here.ts";
import { CAPTURE_END_MS, UntilListening, tcpdumpOf } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** `nodeNamespace` is the name of the one that joins the pods. */
export function localWire(nodeNamespace: string, clock: Clock): Wire {
  return {
    async listen(pods, _images, signal) {
      const stop = new AbortController();
      const enter = ["nsenter", `--net=/run/netns/${nodeNamespace}`];
      const either = AbortSignal.any([stop.signal, signal]);
      const listening = new UntilListening();
      const options = { signal: either, onStderr: listening.onStderr };
      const running = runUntil([...enter, ...tcpdumpOf(pods)], "", options);
      await listening.wait(running, clock, signal);
      return {
        async stop() {
          await sleep(clock, CAPTURE_END_MS, signal);
          stop.abort();
          const { stdout, stderr } = await running;
          return { captures: stdout.length > 0 ? [stdout] : [], complaint: stderr.trim() };
        },
        async [Symbol.asyncDispose]() {
          stop.abort();
        },
      };
    },
  };
}
