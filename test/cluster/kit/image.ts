// An image as it lies in an OCI layout: its configuration, and the files that a container of it sees. Layers
// are tar archives, uncompressed, laid over one another; of a file only its place is kept until it is read.
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import path from "node:path";

export interface ImageFile {
  /** From the root, with a leading slash. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link" | "other";
  /** Permissions with setuid, setgid and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What a link leads to; empty otherwise. */
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /** Its first bytes, all by default. */
  read(lengthMax?: number): Buffer;
}

export interface Image {
  /** In order of their paths. */
  readonly files: readonly ImageFile[];
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Of all layers together, bytes. */
  readonly size: number;
}

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

interface Configuration {
  readonly config: {
    readonly User?: string;
    readonly Entrypoint?: readonly string[];
    readonly Labels?: Readonly<Record<string, string>>;
  };
}

/** `name` as the layout's index has it, complete. Throws when there is no such image. */
export function readImage(layout: string, name: string): Image {
  const index = readJson(path.join(layout, "index.json")) as Index;
  const entry = index.manifests.find(({ annotations }) =>
    Object.values(annotations).includes(name),
  );
  if (entry === undefined) throw new Error(`"${name}" is not in ${layout}`);
  const blob = (digest: string): string => path.join(layout, "blobs", digest.replace(":", "/"));
  const manifest = readJson(blob(entry.digest)) as Manifest;
  const { config } = readJson(blob(manifest.config.digest)) as Configuration;
  const layers = manifest.layers.map(({ digest }) => blob(digest));
  const seen = new Map<string, ImageFile>();
  for (const layer of layers) for (const file of readLayer(layer)) lay(seen, file);
  return {
    files: [...seen.keys()].toSorted().map((each) => seen.get(each)!),
    user: config.User ?? "",
    entrypoint: config.Entrypoint ?? [],
    labels: config.Labels ?? {},
    size: layers.reduce((sum, layer) => sum + statSync(layer).size, 0),
  };
}

/** A name that begins with ".wh." takes away what lies below. */
function lay(seen: Map<string, ImageFile>, file: ImageFile): void {
  const name = path.basename(file.path);
  if (!name.startsWith(".wh.")) {
    seen.set(file.path, file);
    return;
  }
  const hidden = path.join(path.dirname(file.path), name === ".wh..wh..opq" ? "" : name.slice(4));
  for (const each of seen.keys()) {
    if (each === hidden || each.startsWith(`${hidden}/`)) seen.delete(each);
  }
}

const blockBytes = 512;
const kinds: Readonly<Record<string, ImageFile["kind"]>> = {
  "0": "file",
  "\0": "file",
  "2": "link",
  "5": "folder",
};

/** ustar with pax headers, as container tools write it. */
function readLayer(file: string): ImageFile[] {
  const descriptor = openSync(file, "r");
  const found: ImageFile[] = [];
  try {
    let long: Readonly<Record<string, string>> = {};
    const { size: end } = statSync(file);
    for (let at = 0; at + blockBytes <= end;) {
      const header = readAt(descriptor, at, blockBytes);
      if (header.every((byte) => byte === 0)) break;
      const size = Number(long["size"] ?? octal(header, 124, 12));
      const start = at + blockBytes;
      at = start + Math.ceil(size / blockBytes) * blockBytes;
      const type = header.toString("latin1", 156, 157);
      if (type === "x" || type === "g") {
        long = type === "x" ? readPax(readAt(descriptor, start, size)) : {};
        continue;
      }
      const name = long["path"] ?? path.join(text(header, 345, 155), text(header, 0, 100));
      found.push({
        path: path.join("/", name).replace(/(.)\/$/, "$1"),
        kind: kinds[type] ?? "other",
        mode: octal(header, 100, 8) & 0o7777,
        uid: octal(header, 108, 8),
        gid: octal(header, 116, 8),
        target: long["linkpath"] ?? text(header, 157, 100),
        size,
        read: (lengthMax = size) => {
          const again = openSync(file, "r");
          const bytes = readAt(again, start, Math.min(size, lengthMax));
          closeSync(again);
          return bytes;
        },
      });
      long = {};
    }
  } finally {
    closeSync(descriptor);
  }
  return found;
}

/** Lines of "LENGTH KEY=VALUE", each as long as it says. */
function readPax(bytes: Buffer): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(" ", at);
    const length = Number(bytes.toString("latin1", at, space));
    const line = bytes.toString("utf8", space + 1, at + length - 1);
    const equals = line.indexOf("=");
    pairs.push([line.slice(0, equals), line.slice(equals + 1)]);
    at += length;
  }
  return Object.fromEntries(pairs);
}

function text(header: Buffer, start: number, length: number): string {
  const end = header.indexOf(0, start);
  return header.toString("utf8", start, Math.min(end < 0 ? start + length : end, start + length));
}

function octal(header: Buffer, start: number, length: number): number {
  return Number.parseInt(text(header, start, length).trim(), 8) || 0;
}

function readAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(descriptor, bytes, 0, length, position);
  return bytes;
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}
