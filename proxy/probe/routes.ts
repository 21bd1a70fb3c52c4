// /probe/CONTAINER/WHICH on the admin port: the declared checks and no others.
import type { Probes } from "#/api/probe.ts";
import type { AdminReply, AdminRoute } from "#/lib/admin.ts";
import { checkProbe } from "./relay.ts";
import type { RelayOptions } from "./relay.ts";

/** A reply says yes or no, whatever the application said. */
export function probeRoutes(probes: Probes, options: RelayOptions): Record<string, AdminRoute> {
  return Object.fromEntries(
    Object.entries(probes).map(([name, probe]) => [
      `/probe/${name}`,
      async (): Promise<AdminReply> => {
        const passed = await checkProbe(probe, options);
        const body = passed ? "passed\n" : "failed\n";
        return { status: passed ? 200 : 503, contentType: "text/plain; charset=utf-8", body };
      },
    ]),
  );
}
