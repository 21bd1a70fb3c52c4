// The mesh's own manifests as they stand in k8s/: install prints them, uninstall takes away what they
// name. A kustomization says which files, and in which order.
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { parseYaml } from "#/lib/yaml.ts";
import type { YamlDocument } from "#/lib/yaml.ts";
import type { KubernetesObject } from "../mesh.ts";

export class BaseError extends MeshError<"base_unreadable"> {}

export interface BaseObject {
  readonly object: KubernetesObject;
  readonly document: YamlDocument;
}

/** All objects of k8s/base with the custom resources' definitions, in the order to apply them. */
export function readBase(repository: string): readonly BaseObject[] {
  return readKustomization(path.join(repository, "k8s/base"));
}

function readKustomization(folder: string): readonly BaseObject[] {
  const file = path.join(folder, "kustomization.yaml");
  const [document] = read(file);
  const { resources, ...rest } = (document?.value() ?? {}) as Readonly<Record<string, unknown>>;
  const foreign = Object.keys(rest).filter((key) => key !== "apiVersion" && key !== "kind");
  if (!Array.isArray(resources) || foreign.length > 0) {
    const state = foreign.length > 0 ? `"${foreign[0]}" is not understood` : "it has no resources";
    throw unreadable(file, state);
  }
  return resources.flatMap((resource) => {
    const location = path.join(folder, String(resource));
    if (statSync(location, { throwIfNoEntry: false })?.isDirectory() === true) {
      return readKustomization(location);
    }
    return read(location)
      .map((each) => ({ object: each.value() as KubernetesObject | null, document: each }))
      .filter((each): each is BaseObject => each.object !== null);
  });
}

function read(file: string): readonly YamlDocument[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw unreadable(file, messageOf(cause), cause);
  }
  const documents = parseYaml(text);
  const broken = documents.find(({ fault }) => fault !== null)?.fault;
  if (broken) throw unreadable(file, `line ${broken.line}: ${broken.message}`);
  return documents;
}

function unreadable(file: string, state: string, cause?: unknown): BaseError {
  return new BaseError("base_unreadable", `Cannot read "${file}": ${state}`, {
    next: "Put the file back as this release has it",
    cause,
  });
}
