// The part of RFC 6902 that injection needs: add and replace. An API server applies the whole RFC;
// `local/` and the tests apply this.
import { MeshError } from "#/lib/errors.ts";

export interface PatchOperation {
  readonly op: "add" | "replace";
  /** JSON Pointer, RFC 6901. */
  readonly path: string;
  readonly value: unknown;
}

export type JsonPatch = readonly PatchOperation[];

export class PatchError extends MeshError<"path_invalid" | "path_missing" | "path_forbidden"> {}

/** Returns a new document with `patch` applied in order, or throws PatchError; `document` stays as it is. */
export function applyPatch<Document>(document: Document, patch: JsonPatch): Document {
  let result: unknown = document;
  for (const operation of patch) {
    result = applyAt(result, operation, pointerTokens(operation.path), 0);
  }
  return result as Document;
}

/** RFC 6901: "~1" stands for "/", "~0" for "~"; the order of decoding matters. */
function pointerTokens(path: string): string[] {
  if (path === "") return [];
  if (!path.startsWith("/") || /~(?![01])/.test(path)) {
    throw new PatchError("path_invalid", `Cannot apply patch: "${path}" is not a JSON Pointer`);
  }
  return path
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** One segment of a pointer, so that a key may stand in a path whatever it contains. */
export function pointerToken(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function applyAt(
  node: unknown,
  operation: PatchOperation,
  tokens: readonly string[],
  depth: number,
): unknown {
  const token = tokens[depth];
  if (token === undefined) return operation.value;
  const last = depth === tokens.length - 1;
  if (Array.isArray(node)) {
    const index = arrayIndex(token, node.length, last && operation.op === "add", operation);
    if (last && operation.op === "add") return node.toSpliced(index, 0, operation.value);
    return node.with(index, applyAt(node[index], operation, tokens, depth + 1));
  }
  if (typeof node !== "object" || node === null) throw missing(operation);
  if (token === "__proto__") {
    throw new PatchError("path_forbidden", `Cannot apply patch: "${operation.path}" is forbidden`);
  }
  const present = Object.hasOwn(node, token);
  if (!present && !(last && operation.op === "add")) throw missing(operation);
  const child = present ? (node as Record<string, unknown>)[token] : undefined;
  return { ...node, [token]: applyAt(child, operation, tokens, depth + 1) };
}

/** "-" is the end, for add only; no leading zeros (RFC 6901, section 4). */
function arrayIndex(
  token: string,
  length: number,
  mayAppend: boolean,
  operation: PatchOperation,
): number {
  if (token === "-" && mayAppend) return length;
  const index = /^(?:0|[1-9]\d{0,8})$/.test(token) ? Number(token) : -1;
  if (index < 0 || index > (mayAppend ? length : length - 1)) throw missing(operation);
  return index;
}

function missing(operation: PatchOperation): PatchError {
  return new PatchError(
    "path_missing",
    `Cannot ${operation.op} "${operation.path}": no such place`,
  );
}
