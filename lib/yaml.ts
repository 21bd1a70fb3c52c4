// Texts of several YAML documents, read as kubectl reads them (YAML 1.1 without dates and base-60
// numbers; JSON is YAML, too), and written again with another value: order and comments of what stays
// are kept. The only file that imports yaml.
import { isDeepStrictEqual } from "node:util";
import { LineCounter, Scalar, isAlias, isMap, isNode, isScalar, isSeq, visit } from "yaml";
import { parseAllDocuments, stringify } from "yaml";
import type { Document } from "yaml";
import type {
  CollectionTag,
  Node,
  Pair,
  ParseOptions,
  ScalarTag,
  SchemaOptions,
  ToStringOptions,
  YAMLMap,
  YAMLSeq,
} from "yaml";

export type YamlPath = readonly (string | number)[];

export interface YamlFault {
  readonly line: number;
  readonly message: string;
}

export interface YamlDocument {
  /** Where its content begins, from 1. */
  readonly line: number;
  /** Why it is no YAML; null: it is. */
  readonly fault: YamlFault | null;
  /** Exactly as it was read: all of them joined are the whole text. */
  readonly source: string;
  /** Plain data; null for an empty document. Throws when its aliases multiply. */
  value(): unknown;
  /** Of the path's key; of what it is missing from when it is not there. */
  lineOf(path: YamlPath): number;
  /** Its text with `value` in place of its own: JSON stays JSON. Begins with "---" if it did. */
  withValue(value: unknown): string;
}

const aliasesMax = 100;

const mergeTag = "tag:yaml.org,2002:merge";

const schema: SchemaOptions = {
  schema: "yaml-1.1",
  customTags: (tags) =>
    tags
      .filter(
        (tag) =>
          typeof tag === "string" ||
          (tag.tag !== "tag:yaml.org,2002:timestamp" && tag.format !== "TIME"),
      )
      .map((tag) => (typeof tag !== "string" && tag.tag === mergeTag ? readMerge(tag) : tag)),
};

/** A merge key is one that was read: data with a key of this name is written in quotes. */
function readMerge(tag: ScalarTag | CollectionTag): ScalarTag | CollectionTag {
  return { ...tag, identify: (value) => typeof value === "symbol" };
}

/** Never throws: what cannot be read is told as its document's fault. */
export function parseYaml(text: string): readonly YamlDocument[] {
  const lines = new LineCounter();
  const options: ParseOptions & SchemaOptions = { ...schema, lineCounter: lines };
  const parsed = parseAllDocuments(text, { ...options, prettyErrors: false });
  const documents = [...parsed] as readonly Document.Parsed[];
  let begin = 0;
  return documents.map((document, index) => {
    const end = index === documents.length - 1 ? text.length : document.range[2];
    const source = text.slice(begin, end);
    begin = end;
    return readDocument(document, source, lines);
  });
}

/** One document of plain data. */
export function writeYaml(value: unknown): string {
  return stringify(value, { ...schema, aliasDuplicateObjects: false, lineWidth: 0 });
}

function readDocument(document: Document.Parsed, source: string, lines: LineCounter): YamlDocument {
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const [broken] = [...document.errors, ...document.warnings];
  return {
    line: lineAt(document.contents?.range?.[0] ?? document.range[0]),
    fault: broken === undefined ? null : { line: lineAt(broken.pos[0]), message: broken.message },
    source,
    value: () => (document.toJS({ maxAliasCount: aliasesMax }) as unknown) ?? null,
    lineOf: (path) => lineAt(offsetOf(document, path)),
    withValue: (value) => rewrite(document, source, value),
  };
}

function offsetOf(document: Document.Parsed, where: YamlPath): number {
  for (let depth = where.length; depth > 0; depth -= 1) {
    const parent: unknown = document.getIn(where.slice(0, depth - 1), true);
    const last = where[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => isNode(key) && String(key) === String(last));
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
    }
    const node: unknown = document.getIn(where.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? document.range[0];
}

function rewrite(parsed: Document.Parsed, source: string, value: unknown): string {
  if (isJson(source)) {
    const begin = parsed.directives.docStart === true ? "---\n" : "";
    return `${begin}${JSON.stringify(value, null, 2)}\n`;
  }
  const document = parsed.clone();
  // An anchor's text stands for several places: what changes in one of them would in all.
  document.contents = (
    hasAlias(parsed)
      ? document.createNode(value, { aliasDuplicateObjects: false })
      : merged(document, document.contents, value)
  ) as Document.Parsed["contents"];
  return document.toString(layout(source));
}

function isJson(source: string): boolean {
  const [first = ""] = source.trimStart().replace(/^---/, "").trimStart();
  return first === "{" || first === "[";
}

function layout(source: string): ToStringOptions {
  // "containers:" with "- name" below at the same column, as kubectl itself writes.
  const isFlat = /^( *)[^\s#-][^\n]*:\n\1- /m.test(source);
  const isPadded = /[{[] [^\s]/.test(source);
  return { lineWidth: 0, flowCollectionPadding: isPadded, indentSeq: !isFlat };
}

function hasAlias(document: Document.Parsed): boolean {
  let found = false;
  visit(document, (_key, node) => {
    if (!isAlias(node)) return undefined;
    found = true;
    return visit.BREAK;
  });
  return found;
}

/** `node` with `value`; what did not change keeps its text. */
function merged(document: Document, node: unknown, value: unknown): Node {
  if (isNode(node) && isDeepStrictEqual(node.toJS(document), value)) return node;
  if (isMap(node) && isRecord(value)) return mergedMap(document, node, value);
  if (isSeq(node) && Array.isArray(value)) return mergedList(document, node, value);
  const made = document.createNode(value, { aliasDuplicateObjects: false });
  if (isScalar(node) && isScalar(made)) made.comment = node.comment ?? null;
  return made;
}

function mergedMap(
  document: Document,
  node: YAMLMap,
  value: Readonly<Record<string, unknown>>,
): Node {
  const kept = node.items.filter((pair) => !isMerge(pair) && Object.hasOwn(value, keyOf(pair)));
  for (const pair of kept) pair.value = merged(document, pair.value, value[keyOf(pair)]);
  const present = new Set(kept.map(keyOf));
  const added = Object.entries(value).filter(([key]) => !present.has(key));
  node.items = [
    ...kept,
    ...added.map(([key, each]) => document.createPair(key, each, { aliasDuplicateObjects: false })),
  ];
  if (node.items.length > 0 && kept.length === 0) node.flow = false;
  return node;
}

/** Items are the same ones when they are equal or called alike. */
function mergedList(document: Document, node: YAMLSeq, value: readonly unknown[]): Node {
  const left = node.items.filter(isNode);
  const [first] = left;
  // A comment above the first item is kept as one of the list.
  if (first !== undefined && !isAlias(first) && node.commentBefore) {
    first.commentBefore = node.commentBefore;
    node.commentBefore = null;
  }
  const take = (matches: (item: unknown) => boolean): Node | null => {
    const at = left.findIndex((item) => matches(item.toJS(document)));
    return at < 0 ? null : (left.splice(at, 1)[0] ?? null);
  };
  const equals = value.map((each) => take((item) => isDeepStrictEqual(item, each)));
  node.items = value.map((each, index) => {
    const name = nameOf(each);
    const found = equals[index] ?? (name === null ? null : take((item) => nameOf(item) === name));
    return merged(document, found, each);
  });
  return node;
}

function keyOf(pair: Pair): string {
  return pair.key instanceof Scalar ? String(pair.key.value) : String(pair.key);
}

function isMerge({ key }: Pair): boolean {
  return key instanceof Scalar && typeof key.value === "symbol";
}

function nameOf(value: unknown): string | null {
  return isRecord(value) && typeof value["name"] === "string" ? value["name"] : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
