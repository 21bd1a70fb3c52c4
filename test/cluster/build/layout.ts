// An OCI layout on disk: a folder of blobs named by their digests, and an index that names images. Images
// that share a layer share its file.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

const blobsFolder = "blobs/sha256";
const blobName = /^[0-9a-f]{64}$/;
/** Named as containerd looks for it. */
const nameAnnotation = "io.containerd.image.name";

/** An image whose blobs and manifest.json lie in a folder; the folder's files are moved, not copied. */
export interface LooseImage {
  readonly name: string;
  readonly folder: string;
}

/** Moves an image into the layout and returns its entry for the index. */
export function addImage(layout: string, image: LooseImage): Descriptor {
  const blobs = path.join(layout, blobsFolder);
  mkdirSync(blobs, { recursive: true });
  for (const file of readdirSync(image.folder).filter((each) => blobName.test(each))) {
    renameSync(path.join(image.folder, file), path.join(blobs, file));
  }
  const manifest = readFileSync(path.join(image.folder, "manifest.json"));
  const digest = createHash("sha256").update(manifest).digest("hex");
  writeFileSync(path.join(blobs, digest), manifest);
  rmSync(image.folder, { recursive: true });
  const { mediaType } = JSON.parse(manifest.toString()) as { mediaType: string };
  return {
    mediaType,
    digest: `sha256:${digest}`,
    size: manifest.length,
    annotations: { [nameAnnotation]: image.name },
  };
}

export function writeIndex(layout: string, manifests: readonly Descriptor[]): void {
  writeFileSync(path.join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  writeFileSync(path.join(layout, "index.json"), index);
}

/** The files of the blobs, relative to the layout. */
export function blobPaths(layout: string): readonly string[] {
  return readdirSync(path.join(layout, blobsFolder)).map((blob) => path.join(blobsFolder, blob));
}

/** Image ID (the digest of its configuration, in hexadecimal) -> its name. */
export function namesById(layout: string): Readonly<Record<string, string>> {
  const index = readFileSync(path.join(layout, "index.json"), "utf8");
  const { manifests } = JSON.parse(index) as { manifests: readonly Descriptor[] };
  const entries = manifests.map(({ digest, annotations }) => {
    const manifest = readFileSync(path.join(layout, blobsFolder, hexOf(digest)), "utf8");
    const { config } = JSON.parse(manifest) as { config: { digest: string } };
    return [hexOf(config.digest), annotations[nameAnnotation] ?? ""] as const;
  });
  return Object.fromEntries(entries);
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}
