// Images without a daemon and without a registry. Layers are kept in the cache folder; finished images
// leave as one OCI layout, in which those that share a layer share its bytes.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { succeed } from "../command.ts";
import { cacheFolder } from "../settings.ts";
import { addImage, writeIndex } from "./layout.ts";

export interface ImageBuild {
  /** As a Dockerfile or a pod names it, with or without a tag. */
  readonly name: string;
  readonly context: string;
  readonly dockerfile: string;
  readonly target?: string;
  readonly buildArguments?: Readonly<Record<string, string>>;
}

/** Roots that the machine trusts, for package registries that need them; not part of any image. */
export const certificates = "/etc/ssl/certs/ca-certificates.crt";

export async function buildImage(build: ImageBuild): Promise<void> {
  const extra = Object.entries(build.buildArguments ?? {});
  await buildah([
    "build",
    "--isolation=chroot",
    "--network=host",
    "--pull-never",
    "--layers",
    `--secret=id=certificates,src=${certificates}`,
    ...(build.target === undefined ? [] : [`--target=${build.target}`]),
    ...extra.map(([name, value]) => `--build-arg=${name}=${value}`),
    `--tag=${build.name}`,
    `--file=${build.dockerfile}`,
    build.context,
  ]);
}

/** Writes images into one OCI layout, each under its complete name, uncompressed: it is read once, here. */
export async function writeLayout(folder: string, names: readonly string[]): Promise<void> {
  const loose = path.join(folder, "loose");
  const entries = [];
  for (const name of names) {
    await buildah(["push", "--quiet", "--disable-compression", name, `dir:${loose}`]);
    entries.push(addImage(folder, { name: fullName(name), folder: loose }));
  }
  writeIndex(folder, entries);
}

/** The digest of its configuration, in hexadecimal: what it is, whatever it is called. */
export async function imageId(name: string): Promise<string> {
  const id = await buildah(["inspect", "--type=image", "--format={{.FromImageID}}", name]);
  return id.trim();
}

/** The name by which a kubelet asks for an image: with registry, folder and tag. */
export function fullName(name: string): string {
  const tagged = /:[^/]+$/.test(name) ? name : `${name}:latest`;
  const [first = ""] = tagged.split("/");
  if (/[.:]/.test(first) && tagged.includes("/")) return tagged;
  if (first === "localhost") return tagged;
  return tagged.includes("/") ? `docker.io/${tagged}` : `docker.io/library/${tagged}`;
}

/** Gives an image a second name, which keeps its layers, and takes the first away. */
export async function renameImage(from: string, to: string): Promise<void> {
  await buildah(["tag", from, to]);
  await buildah(["rmi", from]);
}

/** For a buildah that somebody else runs: the same store of layers, and what works on this machine. */
export function buildahEnvironment(folder: string): NodeJS.ProcessEnv {
  const file = path.join(folder, "storage.conf");
  const { root, run } = storeFolders();
  writeFileSync(file, `[storage]\ndriver = "overlay"\ngraphroot = "${root}"\nrunroot = "${run}"\n`);
  return { CONTAINERS_STORAGE_CONF: file, BUILDAH_ISOLATION: "chroot" };
}

function buildah(parameters: readonly string[]): Promise<string> {
  const { root, run } = storeFolders();
  const places = [`--root=${root}`, `--runroot=${run}`, "--storage-driver=overlay"];
  return succeed("buildah", [...places, ...parameters]);
}

function storeFolders(): { readonly root: string; readonly run: string } {
  const store = path.join(cacheFolder(process.env), "layers");
  return { root: path.join(store, "root"), run: path.join(store, "run") };
}
