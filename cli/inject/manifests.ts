// Texts of manifests with their sidecars in: what does not change comes out byte for byte. Pure.
import type { InjectorConfig } from "#/injector/config.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { parseYaml } from "#/lib/yaml.ts";
import type { YamlDocument } from "#/lib/yaml.ts";
import type { KubernetesObject } from "../mesh.ts";
import { injectObject } from "./workload.ts";
import type { Injected } from "./workload.ts";

export class InjectError extends MeshError<"manifest_invalid" | "refused"> {}

export interface InjectedManifest {
  readonly text: string;
  readonly objects: readonly KubernetesObject[];
  readonly notes: readonly string[];
}

const refusalsTold = 8;

/** `name` is told in errors. Throws InjectError that tells all that cannot be injected. */
export function injectText(text: string, name: string, config: InjectorConfig): InjectedManifest {
  const done = parseYaml(text).map((document) => {
    const value = valueOf(document, name);
    const injected = injectObject(value, config);
    const isSame = injected.object === value;
    return { injected, text: isSame ? document.source : document.withValue(injected.object) };
  });
  const all: readonly Injected[] = done.map(({ injected }) => injected);
  const refusals = all.flatMap(({ refusals: some }) => some);
  if (refusals.length > 0) {
    const told = refusals.slice(0, refusalsTold).map(({ message }) => message);
    const more = refusals.length > told.length ? `; and ${refusals.length - told.length} more` : "";
    throw new InjectError("refused", `${told.join("; ")}${more}`, { next: refusals[0]!.next });
  }
  return {
    text: done.map((each) => each.text).join(""),
    objects: all.map(({ object }) => object).filter((object) => object !== null),
    notes: all.flatMap(({ notes }) => notes),
  };
}

function valueOf(document: YamlDocument, name: string): unknown {
  const invalid = (line: number, state: string): InjectError =>
    new InjectError("manifest_invalid", `Cannot read "${name}" line ${line}: ${state}`, {
      next: "Correct the manifest; nothing was printed",
    });
  if (document.fault !== null) throw invalid(document.fault.line, document.fault.message);
  try {
    return document.value();
  } catch (thrown) {
    // Aliases that multiply.
    throw invalid(document.line, messageOf(thrown));
  }
}
