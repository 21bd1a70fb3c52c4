// The command tree flattened to what each shell needs: where one is (the path), what may follow
// there, and which options take a value. Pure; the three shells only spell it differently.
import type { Argument, Command, Option, ValueKind } from "../command-tree.ts";
import { globalOptions } from "../command-tree.ts";

export interface Place {
  /** "", "certs", "certs list". */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly arguments: readonly Argument[];
  readonly options: readonly Option[];
}

/** Every place in the tree, the root first; hidden commands are left out. */
export function places(root: Command): readonly Place[] {
  const found: Place[] = [];
  const visit = (node: Command, path: readonly string[]): void => {
    const children = (node.commands ?? []).filter((child) => child.isHidden !== true);
    found.push({
      path: path.join(" "),
      commands: children.map(({ name, summary }) => ({ name, summary })),
      arguments: node.arguments ?? [],
      options: [...(node.options ?? []), ...globalOptions, help],
    });
    for (const child of children) visit(child, [...path, child.name]);
  };
  visit(root, []);
  return found;
}

/** Names of options that take a value, anywhere: the word after one is no command. */
export function valueOptionNames(all: readonly Place[]): readonly string[] {
  const names = all
    .flatMap(({ options }) => options)
    .filter(({ value }) => value !== undefined)
    .flatMap(namesOf);
  return [...new Set(names)].sort();
}

export function namesOf(option: Option): string[] {
  return option.short === undefined ? [option.long] : [option.short, option.long];
}

/** Which names of a running mesh complete this kind, as `signet complete` knows them; null for none. */
export function askedKind(kind: ValueKind): "pod" | "namespace" | "identity" | null {
  if (kind === "pod" || kind === "pod-or-file") return "pod";
  return kind === "namespace" || kind === "identity" ? kind : null;
}

const help: Option = { long: "--help", short: "-h", summary: "show help" };
