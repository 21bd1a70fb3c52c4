// `signet uninstall`: takes the mesh off the cluster of the person's kubeconfig, after a look at what it
// would stop and a question.
import { durationMs } from "#/cluster/duration.ts";
import type { KubernetesClient } from "#/cluster/kubernetes/client.ts";
import { listAll } from "#/cluster/kubernetes/list.ts";
import { collectionPath } from "#/cluster/kubernetes/resources.ts";
import { UsageError } from "../args.ts";
import { openCluster } from "../cluster-access.ts";
import type { Cluster } from "../cluster-access.ts";
import { clusterFault } from "../cluster-fault.ts";
import { confirm } from "../confirm.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import { readBase } from "../install/base.ts";
import { MeshAccessError } from "../mesh.ts";
import { MESH_NAMESPACE } from "../policy.ts";
import type { Printer } from "../print.ts";
import { counted, formatElapsed } from "../text.ts";
import { referenceText } from "../uninstall/reference.ts";
import { removeMesh } from "../uninstall/remove.ts";
import { surveyMesh } from "../uninstall/survey.ts";
import type { Survey } from "../uninstall/survey.ts";
import type { CommandContext } from "./context.ts";
import { option } from "./context.ts";

const namesTold = 8;

export async function uninstallMesh(context: CommandContext): Promise<number> {
  const timeoutMs = readTimeout(option(context, "timeout") ?? "");
  try {
    return await uninstallFrom(await openCluster(context), context, timeoutMs);
  } catch (thrown) {
    throw context.signal.aborted ? context.signal.reason : clusterFault(thrown);
  }
}

async function uninstallFrom(
  { client, place }: Cluster,
  context: CommandContext,
  timeoutMs: number,
): Promise<number> {
  const { print, options, signal, clock, repository } = context;
  const base = readBase(repository).map(({ object }) => object);
  const survey = await surveyMesh(client, base, signal);
  if (survey.found.length === 0) {
    if (print.format === "json") print.json(report(survey, false));
    else print.note(`signet: nothing to remove: there is no mesh on ${place}`);
    return EXIT_OK;
  }
  if (options["dry-run"] === true) {
    if (print.format === "json") print.json(report(survey, false));
    else print.lines(planText(survey));
    return EXIT_OK;
  }
  if (options["force"] !== true) refuseWhile(survey);
  if (options["yes"] !== true && !(await isAgreed(survey, place, print, signal))) {
    print.note("signet: nothing was removed");
    return EXIT_FAILED;
  }
  const beganMs = clock.monotonic();
  const onProgress = (line: string): void => print.note(`signet: ${line}`);
  await removeMesh(survey.found, { client, clock, signal, timeoutMs, onProgress });
  // A remark is not worth a failure: whoever may not see volumes goes without it.
  const kept = await keptVolumes(client).catch(() => []);
  if (print.format === "json") {
    print.json(report(survey, true, kept));
    return EXIT_OK;
  }
  const elapsed = formatElapsed(clock.monotonic() - beganMs);
  print.note(`signet: the mesh is removed from ${place} (${elapsed})`);
  for (const line of [...labelledText(survey), ...keptText(kept)]) print.note(`signet: ${line}`);
  return EXIT_OK;
}

function readTimeout(text: string): number {
  const timeoutMs = durationMs(text) ?? 0;
  if (timeoutMs > 0) return timeoutMs;
  throw new UsageError("usage", `Cannot use --timeout "${text}": it is not a time as 90s or 5m`, {
    next: 'See "signet uninstall --help"',
  });
}

/** Throws MeshAccessError for what would be stopped or lost without anybody having said so. */
export function refuseWhile({ meshedPods, strangers }: Survey): void {
  if (meshedPods.length > 0) {
    const [first = ""] = meshedPods;
    const namespace = first.split("/")[0] ?? "";
    throw new MeshAccessError(
      "failed",
      `Cannot remove the mesh: ${counted(meshedPods.length, "pod")} with a sidecar would lose the ` +
        `certificate within its lifetime, and then every connection: ${shortened(meshedPods)}`,
      {
        next:
          `Take the label off and make the pods anew: kubectl label namespace ${namespace} ` +
          `signet.dev/inject- && kubectl rollout restart deployment -n ${namespace}; ` +
          "or say --force",
      },
    );
  }
  if (strangers.length > 0) {
    throw new MeshAccessError(
      "failed",
      `Cannot remove namespace "${MESH_NAMESPACE}": pods that are not the mesh's run in it: ` +
        shortened(strangers),
      { next: "Move them to a namespace of their own; or say --force" },
    );
  }
}

async function isAgreed(
  survey: Survey,
  place: string,
  print: Printer,
  signal: AbortSignal,
): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new MeshAccessError("failed", "Cannot remove the mesh: nobody is here to be asked", {
      next: "Say --yes; what would be removed: signet uninstall --dry-run",
    });
  }
  for (const line of planText(survey)) print.note(line);
  return confirm(`Remove all of this from ${place}?`, signal);
}

export function planText(survey: Survey): readonly string[] {
  const inTheWay = [
    ...survey.meshedPods.map((name) => `pod ${name} has a sidecar and would stop working`),
    ...survey.strangers.map((name) => `pod ${name} is not the mesh's and would go`),
  ];
  return [
    ...survey.found.map((each) => {
      const isHome = each.kind === "Namespace";
      return `${referenceText(each)}${isHome ? ", with Secret signet-ca (the root key) and all else" : ""}`;
    }),
    ...(inTheWay.length === 0 ? [] : ["", "in the way (--force goes on):", ...inTheWay]),
  ];
}

function labelledText({ labelled }: Survey): readonly string[] {
  if (labelled.length === 0) return [];
  return [
    `still labelled signet.dev/inject=enabled, without effect: ${shortened(labelled)}; ` +
      `a next install would inject there again`,
  ];
}

function keptText(kept: readonly string[]): readonly string[] {
  if (kept.length === 0) return [];
  return [
    `volumes that their storage class keeps hold the ledgers still: ${shortened(kept)}; ` +
      "remove them: kubectl delete persistentvolume NAME",
  ];
}

function shortened(names: readonly string[]): string {
  const told = names.slice(0, namesTold).join(", ");
  return names.length > namesTold ? `${told} and ${names.length - namesTold} more` : told;
}

interface VolumeObject {
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly persistentVolumeReclaimPolicy?: string;
    readonly claimRef?: { readonly namespace?: string };
  };
}

/** Of the ledgers, under the policy Retain: they outlive their claims. */
async function keptVolumes(client: KubernetesClient): Promise<readonly string[]> {
  const all = await listAll(client, collectionPath("PersistentVolume"));
  return (all as readonly VolumeObject[])
    .filter(({ spec }) => spec?.claimRef?.namespace === MESH_NAMESPACE)
    .filter(({ spec }) => spec?.persistentVolumeReclaimPolicy === "Retain")
    .map(({ metadata }) => metadata.name);
}

function report(survey: Survey, isRemoved: boolean, kept: readonly string[] = []): object {
  return {
    isRemoved,
    objects: survey.found.map(({ kind, namespace, name }) => ({ kind, namespace, name })),
    podsWithSidecar: survey.meshedPods,
    strangers: survey.strangers,
    labelledNamespaces: survey.labelled,
    keptVolumes: kept,
  };
}
