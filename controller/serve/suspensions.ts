// Suspensions as the read API shows them: what is in force, and which sidecars have
// said that they know all of it.
import type { AdminRoute } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";
import type { Mesh } from "../index/mesh.ts";
import { unknownParameter } from "./answers.ts";
import { suspensionsKey } from "./discovery.ts";
import type { DiscoveryHub } from "./discovery.ts";

export interface SuspensionsOptions {
  readonly mesh: Pick<Mesh, "suspensions">;
  readonly hub: Pick<DiscoveryHub, "holders">;
  /** Of this replica. */
  readonly pod: string;
}

/** Parameters are answered with 400. */
export function suspensionRoutes(
  options: SuspensionsOptions,
): Readonly<Record<string, AdminRoute>> {
  return {
    "/v1/suspensions": (url) => unknownParameter(url) ?? json(view(options)),
  };
}

function view({ mesh, hub, pod }: SuspensionsOptions): object {
  return {
    pod,
    suspensions: mesh.suspensions.all().map(({ name, id, reason, since }) => ({
      name,
      identity: id,
      reason,
      since: new Date(since).toISOString(),
    })),
    told: hub.holders(suspensionsKey),
  };
}
