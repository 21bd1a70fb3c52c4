// `signet check`: what the mesh needs, and how one that runs is doing: on this machine, or on a cluster.
import { leftoversOf } from "#/local/launch.ts";
import { checkAuthorities } from "../check/authorities.ts";
import { checkCluster } from "../check/cluster.ts";
import { readClusterFacts } from "../check/cluster-facts.ts";
import { findingsText } from "../check/findings.ts";
import type { Finding } from "../check/findings.ts";
import { checkLeftovers, checkMachine } from "../check/machine.ts";
import { checkMesh } from "../check/pods.ts";
import type { Cluster } from "../cluster-access.ts";
import { clusterMesh } from "../cluster-mesh.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { clusterOf, localMeshOf } from "./context.ts";

export async function checkAll(context: CommandContext): Promise<number> {
  const { print } = context;
  const cluster = await clusterOf(context);
  const findings = cluster === null ? await checkHere(context) : await checkThere(context, cluster);
  const isWell = findings.every(({ verdict }) => verdict !== "failed");
  if (print.format === "json") print.json({ isWell, findings });
  else print.lines(findingsText(findings, print.style));
  return isWell ? EXIT_OK : EXIT_FAILED;
}

async function checkHere(context: CommandContext): Promise<readonly Finding[]> {
  const mesh = localMeshOf(context);
  const now = context.clock.now();
  const findings = await checkMesh(mesh, now);
  const isAnswering = findings.some(({ verdict }) => verdict === "passed");
  return [
    ...checkMachine(),
    ...checkLeftovers(process.getuid?.() === 0 ? leftoversOf(context.names) : []),
    ...findings,
    ...(isAnswering ? await checkAuthorities(mesh, now) : []),
  ];
}

async function checkThere(
  { print, clock }: CommandContext,
  cluster: Cluster,
): Promise<readonly Finding[]> {
  print.note(`On ${cluster.place}`);
  const mesh = clusterMesh(cluster, clock);
  return checkCluster(await readClusterFacts(cluster, mesh), mesh, clock.now());
}
