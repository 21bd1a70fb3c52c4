// Everything the cluster can run, as one OCI layout: our images, their base, the name server, and what
// holds a pod's namespaces. Made anew only when something it is made of changed.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { step } from "../progress.ts";
import { checkout, rigFolder } from "../settings.ts";
import { baseImageName, baseImagePart } from "./base-image.ts";
import { buildImage, writeLayout } from "./buildah.ts";
import { corednsPart, pausePart } from "./small-programs.ts";

/** Targets of the Dockerfile; an image is named signet/TARGET. */
const targets = [
  "controller",
  "injector",
  "proxy",
  "proxy-init",
  "app-a",
  "app-b",
  "client",
  "tour",
];
/** Names that the node's own configuration uses. */
export const pauseImageName = "localhost/pause:1";
export const corednsImageName = "localhost/coredns:1";

/** The folder of an OCI layout with all of them. */
export async function imagesPart(): Promise<string> {
  const [base, pause, coredns] = [await baseImagePart(), await pausePart(), await corednsPart()];
  const ours = targets.map((target) => `signet/${target}`);
  const singleDockerfile = path.join(rigFolder, "parts/single.Dockerfile");
  const dockerfile = path.join(checkout, "Dockerfile");
  return part({
    name: "images",
    title: "Building the images",
    ingredients: [base, pause, coredns, readFileSync(singleDockerfile, "utf8"), ...contextFiles()],
    make: async (folder) => {
      await step("base image", () =>
        buildImage({
          name: baseImageName,
          context: base,
          dockerfile: path.join(base, "Dockerfile"),
        }),
      );
      for (const [name, context, program] of [
        [pauseImageName, pause, "pause"],
        [corednsImageName, coredns, "coredns"],
      ] as const) {
        const buildArguments = { PROGRAM: program };
        await buildImage({ name, context, dockerfile: singleDockerfile, buildArguments });
      }
      for (const target of targets) {
        const build = { name: `signet/${target}`, context: checkout, dockerfile, target };
        await step(build.name, () => buildImage(build));
      }
      const all = [pauseImageName, corednsImageName, baseImageName, ...ours];
      await step("one layout of all", () => writeLayout(folder, all));
    },
  });
}

/** Names and contents of what the Dockerfile can see: what Git knows or would add of these folders. */
function contextFiles(): string[] {
  const allowed = readFileSync(path.join(checkout, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("!"))
    .map((line) => line.slice(1));
  const git = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const paths = ["Dockerfile", ".dockerignore", ...allowed];
  const list = execFileSync("git", [...git, "--", ...paths], { cwd: checkout, encoding: "utf8" });
  const files = list.split("\0").filter((file) => file !== "" && !file.endsWith(".test.ts"));
  return files.toSorted().flatMap((file) => [file, contentOf(file)]);
}

/** A file that Git knows and that was deleted counts as empty. */
function contentOf(file: string): string {
  try {
    return readFileSync(path.join(checkout, file), "utf8");
  } catch {
    return "";
  }
}
