// `signet tour`: the claims, one by one, on whichever mesh runs.
import { nodeNamespace } from "#/local/names.ts";
import type { Cluster } from "../cluster-access.ts";
import { clusterMesh } from "../cluster-mesh.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import { MeshAccessError, namespacesOf } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import { clusterWire } from "../tour/cluster-wire.ts";
import { localWire } from "../tour/local-wire.ts";
import { walkTour } from "../tour/tour.ts";
import type { Wire } from "../tour/wire.ts";
import type { CommandContext } from "./context.ts";
import { clusterOf, localMeshOf } from "./context.ts";

/** Containers start more slowly on a cluster than processes do here. */
const TIME_MS_MAX = 360_000;
const demoNamespaces = ["app-a", "app-b", "outside"];

export async function walkClaims(context: CommandContext): Promise<number> {
  const { print, clock, signal } = context;
  const begunAt = clock.monotonic();
  const { mesh, wire } = siteOf(context, await clusterOf(context));
  await needDemo(mesh);
  print.note(`On ${mesh.place}`);
  const tour = { mesh, wire, print, clock, signal, begunAt };
  const isConfirmed = await walkTour({ ...tour, timeMsMax: TIME_MS_MAX, cleansUp: true });
  return isConfirmed ? EXIT_OK : EXIT_FAILED;
}

function siteOf(
  context: CommandContext,
  cluster: Cluster | null,
): { readonly mesh: Mesh; readonly wire: Wire } {
  const { clock, names } = context;
  if (cluster === null) {
    return { mesh: localMeshOf(context), wire: localWire(nodeNamespace(names), clock) };
  }
  const mesh = clusterMesh(cluster, clock);
  return { mesh, wire: clusterWire(cluster, mesh, clock) };
}

async function needDemo(mesh: Mesh): Promise<void> {
  const there = await namespacesOf(mesh);
  const missing = demoNamespaces.filter((name) => !there.includes(name));
  if (missing.length === 0) return;
  const state = `no namespace ${missing.join(", ")} on ${mesh.place}`;
  throw new MeshAccessError("not_found", `Cannot begin the tour: ${state}`, {
    next: "Deploy the demo: kubectl apply --server-side -k k8s/demo",
  });
}
