// Reads manifests as kubectl would: files or folders of YAML with several documents. Every fault says
// file, line and reason, all of a text at once, and nothing of a faulty one is applied.
import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { messageOf } from "#/lib/errors.ts";
import { parseYaml } from "#/lib/yaml.ts";
import type { YamlDocument } from "#/lib/yaml.ts";
import { LocalError, isClusterWide, keyOf } from "../objects.ts";
import type { KubernetesObject } from "../objects.ts";
import { objectFaults, passedOverKinds } from "./schema.ts";
import { fault, pathText } from "./shape.ts";
import type { Fault } from "./shape.ts";

export const fileBytesMax: number = 1024 * 1024;
export const documentsMax = 500;
const faultsTold = 8;

export interface Manifest {
  readonly objects: readonly KubernetesObject[];
  /** One sentence each: what was accepted and has no effect. */
  readonly warnings: readonly string[];
}

/** All objects below `location` (a file, or a folder's *.yaml in order of their names). */
export function readManifests(location: string): Manifest {
  if (!statSync(location, { throwIfNoEntry: false })) {
    throw invalid(`Cannot read "${location}": no such file or folder`);
  }
  const files = statSync(location).isDirectory()
    ? readdirSync(location)
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => path.join(location, name))
    : [location];
  if (files.length === 0) throw invalid(`Cannot read "${location}": there is no .yaml in it`);
  const read = files.map((file) => {
    if (statSync(file).size > fileBytesMax) {
      throw invalid(`Cannot read "${file}": more than ${fileBytesMax} bytes`);
    }
    return parseManifest(readFileSync(file, "utf8"), file);
  });
  const objects = read.flatMap((manifest) => manifest.objects);
  const again = firstTwice(objects);
  if (again !== null) throw invalid(`Cannot apply "${location}": "${again}" is in it twice`);
  return { objects, warnings: read.flatMap((manifest) => manifest.warnings) };
}

/** `name` is told in errors. JSON is YAML, too. Throws LocalError that tells every fault. */
export function parseManifest(source: string, name: string): Manifest {
  const documents = parseYaml(source);
  const at = (line: number): string => `"${name}" line ${line}`;
  if (documents.length > documentsMax) {
    throw invalid(`Cannot read "${name}": over ${documentsMax} documents`);
  }
  const faults: string[] = [];
  const warnings: string[] = [];
  const objects = documents.flatMap((document) => {
    if (document.fault !== null) {
      faults.push(`${at(document.fault.line)}: ${document.fault.message}`);
      return [];
    }
    const value = plainOf(document, (reason) => faults.push(`${at(document.line)}: ${reason}`));
    if (value === null) return [];
    const kind = kindOf(value);
    if (passedOverKinds.includes(kind)) return [];
    for (const found of faultsIn(kind, value)) {
      const list = found.isWarning ? warnings : faults;
      // To look a place up costs as much as the document is long: only of what is told.
      const place = list.length < faultsTold ? `${at(document.lineOf(found.path))}: ` : "";
      list.push(`${place}${pathText(found.path)} ${found.message}`);
    }
    return [withNamespace(value as unknown as KubernetesObject)];
  });
  if (faults.length > 0) throw faulty(name, faults);
  return { objects, warnings };
}

/** The document's value, or null when there is none or when it cannot be had. */
function plainOf(
  document: YamlDocument,
  refuse: (reason: string) => void,
): Readonly<Record<string, unknown>> | null {
  try {
    const value = document.value();
    if (value === null) return null;
    if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
    refuse("is not an object");
  } catch (error) {
    // Aliases that multiply.
    refuse(messageOf(error));
  }
  return null;
}

function kindOf(value: Readonly<Record<string, unknown>>): string {
  return typeof value["kind"] === "string" ? value["kind"] : "";
}

function faultsIn(kind: string, value: Readonly<Record<string, unknown>>): readonly Fault[] {
  return kind === "" ? [fault(["kind"], "is missing")] : objectFaults(kind, value);
}

function withNamespace(object: KubernetesObject): KubernetesObject {
  if (isClusterWide(object.kind) || object.metadata?.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace: "default" } };
}

function firstTwice(objects: readonly KubernetesObject[]): string | null {
  const seen = new Set<string>();
  for (const object of objects) {
    const key = keyOf(object);
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return null;
}

function faulty(name: string, faults: readonly string[]): LocalError {
  const told = faults.slice(0, faultsTold).join("; ");
  const more = faults.length > faultsTold ? `; and ${faults.length - faultsTold} more` : "";
  return invalid(`Cannot apply "${name}": ${told}${more}`);
}

function invalid(message: string): LocalError {
  return new LocalError("manifest_invalid", message, {
    next: "Correct the manifest and apply it again; nothing of it was applied",
  });
}
