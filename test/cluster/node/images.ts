// The images of a running cluster: given once, and nothing of it twice.
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fullName, imageId, writeLayout } from "../build/buildah.ts";
import { imagesPart } from "../build/images.ts";
import { blobPaths, namesById } from "../build/layout.ts";
import { succeed } from "../command.ts";
import { step } from "../progress.ts";
import { containerdSocket, stateFolder } from "../settings.ts";

const loadedFile = path.join(stateFolder, "images.json");
const smallBytesMax = 64 * 1024;

/** What the cluster has. */
interface Loaded {
  /** Of each kind of layout the one that was loaded last. */
  readonly indexes: Readonly<Record<string, string>>;
  readonly blobs: readonly string[];
  /** Image ID -> a name it has there. */
  readonly names: Readonly<Record<string, string>>;
}

/** Gives a running cluster the present images; nothing when it has them. */
export async function updateImages(): Promise<void> {
  await loadImages(await imagesPart());
}

/**
 * Gives a running cluster one image more, out of the store of layers: what it has already under another
 * name is named once more.
 */
export async function addImageToCluster(name: string): Promise<void> {
  const known = readLoaded().names[await imageId(name)];
  if (known !== undefined) {
    await succeed("ctr", [...ctr, "images", "tag", "--force", known, fullName(name)]);
    return;
  }
  const layout = mkdtempSync(path.join(tmpdir(), "signet-image-"));
  try {
    await writeLayout(layout, [name]);
    await loadImages(layout);
  } finally {
    rmSync(layout, { recursive: true });
  }
}

/** Sends containerd a layout's index, and of the blobs those that it was not sent before. */
export async function loadImages(layout: string): Promise<void> {
  const [kind = ""] = path.basename(layout).split("-");
  const index = readFileSync(path.join(layout, "index.json"), "utf8");
  const loaded = readLoaded();
  if (loaded.indexes[kind] === index) return;
  const known = new Set(loaded.blobs);
  const blobs = blobPaths(layout).filter((blob) => !isLarge(layout, blob) || !known.has(blob));
  await step("Loading the images", async () => {
    const importing = ["ctr", ...ctr, "images", "import", "-"].join(" ");
    const pipe = `set -o pipefail; tar -C '${layout}' --files-from=- -cf - | ${importing}`;
    const input = ["oci-layout", "index.json", ...blobs].join("\n");
    await succeed("bash", ["-c", pipe], { input });
  });
  // Read anew: another image may have come meanwhile.
  const now = readLoaded();
  writeLoaded({
    indexes: { ...now.indexes, [kind]: index },
    blobs: [...new Set([...now.blobs, ...blobs])],
    names: { ...now.names, ...namesById(layout) },
  });
}

const ctr = ["--address", containerdSocket, "--namespace", "k8s.io"];

function readLoaded(): Loaded {
  if (!existsSync(loadedFile)) return { indexes: {}, blobs: [], names: {} };
  return JSON.parse(readFileSync(loadedFile, "utf8")) as Loaded;
}

function writeLoaded(loaded: Loaded): void {
  const next = `${loadedFile}.${process.pid}`;
  writeFileSync(next, JSON.stringify(loaded));
  renameSync(next, loadedFile);
}

/** Manifests are read from the stream itself; what is large is a layer. */
function isLarge(layout: string, blob: string): boolean {
  return statSync(path.join(layout, blob)).size > smallBytesMax;
}
