// Reads manifests as kubectl would: files or folders of YAML with several documents. Every fault says
// file, line and reason, and nothing of a faulty file is applied. The only file that imports yaml.
import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { LineCounter, parseAllDocuments } from "yaml";
import { LocalError, knownKinds, passedOverKinds, readObject } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";

const fileBytesMax = 1024 * 1024;
const documentsMax = 500;

/** All objects below `location` (a file, or a folder's *.yaml in order of their names). */
export function readManifests(location: string): KubernetesObject[] {
  if (!statSync(location, { throwIfNoEntry: false })) {
    throw new LocalError("manifest_invalid", `Cannot read "${location}": no such file or folder`);
  }
  const files = statSync(location).isDirectory()
    ? readdirSync(location)
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => path.join(location, name))
    : [location];
  return files.flatMap((file) => {
    if (statSync(file).size > fileBytesMax) {
      throw new LocalError(
        "manifest_invalid",
        `Cannot read "${file}": more than ${fileBytesMax} bytes`,
      );
    }
    return parseManifest(readFileSync(file, "utf8"), file);
  });
}

/** `name` is told in errors. JSON is YAML, too. */
export function parseManifest(text: string, name: string): KubernetesObject[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  if (!Array.isArray(documents)) return [];
  if (documents.length > documentsMax) {
    throw new LocalError(
      "manifest_invalid",
      `Cannot read "${name}": over ${documentsMax} documents`,
    );
  }
  return documents.flatMap((document) => {
    const [fault] = document.errors;
    if (fault !== undefined) {
      const { line } = lines.linePos(fault.pos[0]);
      throw new LocalError(
        "manifest_invalid",
        `Cannot read "${name}" line ${line}: ${fault.message}`,
        {
          next: "Correct the YAML and apply it again",
        },
      );
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (value === null || value === undefined) return [];
    const { line } = lines.linePos(document.contents?.range?.[0] ?? 0);
    return readKnown(value, `"${name}" line ${line}`);
  });
}

function readKnown(value: unknown, where: string): KubernetesObject[] {
  const { kind } = value as { kind?: unknown };
  if (typeof kind === "string" && passedOverKinds.has(kind)) return [];
  const object = readObject(value, where);
  if (knownKinds.has(object.kind)) return [object];
  throw new LocalError(
    "manifest_invalid",
    `Cannot apply ${where}: kind "${object.kind}" is not run here`,
    {
      next: `Without a cluster these kinds are understood: ${[...knownKinds].join(", ")}`,
    },
  );
}
