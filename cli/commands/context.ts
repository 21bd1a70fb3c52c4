// What every command is given.
import { existsSync } from "node:fs";
import type { Clock } from "#/lib/clock.ts";
import { controlSocket } from "#/local/names.ts";
import type { Names } from "#/local/names.ts";
import { LocalClient } from "#/local/client.ts";
import { hasKubeconfig, namesCluster, openCluster } from "../cluster-access.ts";
import type { Cluster } from "../cluster-access.ts";
import { clusterMesh } from "../cluster-mesh.ts";
import { localMesh } from "../local-mesh.ts";
import type { Mesh } from "../mesh.ts";
import type { Printer } from "../print.ts";

export interface CommandContext {
  readonly print: Printer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly names: Names;
  /** The folder that this program's files are in. */
  readonly repository: string;
  /** The words of each argument, by its name. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly options: Readonly<Record<string, string | true>>;
}

/** The exit code; what it throws is printed and becomes EXIT_FAILED. */
export type Action = (context: CommandContext) => Promise<number>;

/** The mesh on this machine, whether it runs or not. */
export function localMeshOf({ names }: CommandContext): Mesh {
  return localMesh(controlSocket(names));
}

/**
 * The cluster that is meant, or null for the mesh on this machine: what the command line names, else this
 * machine's when one runs, else the cluster of the kubeconfig when there is one.
 */
export async function clusterOf(context: CommandContext): Promise<Cluster | null> {
  if (namesCluster(context)) return openCluster(context);
  const isLocal =
    context.options["state"] !== undefined || existsSync(controlSocket(context.names));
  return isLocal || !hasKubeconfig(context) ? null : openCluster(context);
}

/** Rejects with KubernetesError when a kubeconfig cannot be used. */
export async function meshOf(context: CommandContext): Promise<Mesh> {
  const cluster = await clusterOf(context);
  return cluster === null ? localMeshOf(context) : clusterMesh(cluster, context.clock);
}

export function clientOf({ names }: CommandContext): LocalClient {
  return new LocalClient(controlSocket(names));
}

/** An argument of one word. */
export function word(context: CommandContext, name: string): string {
  return context.words[name]?.[0] ?? "";
}

/** An option's value; null when it was not given. */
export function option(context: CommandContext, name: string): string | null {
  const value = context.options[name];
  return typeof value === "string" ? value : null;
}
