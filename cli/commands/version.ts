// `signet version` and `signet completion`: what needs no mesh. What a cluster runs is told when it answers
// quickly.
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { commandTree } from "../command-tree.ts";
import { hasKubeconfig, namesCluster } from "../cluster-access.ts";
import { askCluster, clusterText } from "../cluster-version.ts";
import { podName } from "../mesh.ts";
import { formatFields } from "../table.ts";
import { signetVersion } from "#/lib/version.ts";
import { EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, word } from "./context.ts";

export async function showVersion(context: CommandContext): Promise<number> {
  const { print, options } = context;
  const versions = {
    signet: signetVersion,
    node: process.versions.node,
    openssl: process.versions.openssl ?? "unknown",
    platform: `${process.platform} ${process.arch}`,
  };
  const isAsked = options["client"] !== true && (namesCluster(context) || hasKubeconfig(context));
  const cluster = isAsked ? await askCluster(context) : null;
  if (print.format === "json") {
    print.json({ ...versions, ...(cluster === null ? {} : { cluster }) });
  } else {
    const fields = [...Object.entries(versions), ...(cluster === null ? [] : clusterText(cluster))];
    print.lines(formatFields(fields, print.style));
  }
  return EXIT_OK;
}

const scripts: Readonly<Record<string, (root: typeof commandTree) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export async function printCompletion(context: CommandContext): Promise<number> {
  const make = scripts[word(context, "shell")];
  context.print.raw(make?.(commandTree) ?? "");
  return EXIT_OK;
}

/** What a shell asks while somebody types: names, or nothing at all, quickly and without a word. */
export async function listNames(context: CommandContext): Promise<number> {
  const ask = async (): Promise<readonly string[]> => {
    const mesh = await meshOf(context);
    const kind = word(context, "kind");
    if (kind === "namespace") {
      return (await mesh.objects("Namespace")).map(({ metadata }) => metadata.name);
    }
    const pods = await mesh.pods();
    if (kind === "pod") return pods.map(podName);
    const meshed = pods.filter(({ isMeshed }) => isMeshed);
    return [...new Set(meshed.map((pod) => `${pod.namespace}/${pod.serviceAccount}`))];
  };
  const names = await ask().catch(() => []);
  context.print.lines(names.toSorted((one, other) => (one < other ? -1 : 1)));
  return EXIT_OK;
}
