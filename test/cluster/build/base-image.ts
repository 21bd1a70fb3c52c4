// The base image of the Dockerfile under its public name, made of Debian packages, our pinned Node and
// npm. On a machine that can ask a registry the Dockerfile takes the public one.
import { cpSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { succeed } from "../command.ts";
import { checkout, rigFolder } from "../settings.ts";

export const baseImageName = "node:26-bookworm-slim";
const suite = "bookworm";
/** What the public image has that our images use, and nothing more. */
const packages = ["ca-certificates", "libatomic1", "libstdc++6"];
const npmVersion = "11.19.1";
const nodePackage = path.join(checkout, "node_modules/node");
const dockerfile = path.join(rigFolder, "parts/base/Dockerfile");

/** A build context: Dockerfile and what it adds. */
export function baseImagePart(): Promise<string> {
  const { version } = JSON.parse(readFileSync(path.join(nodePackage, "package.json"), "utf8")) as {
    version: string;
  };
  return part({
    name: "base",
    title: "Gathering the base image",
    ingredients: [suite, ...packages, version, npmVersion, readFileSync(dockerfile, "utf8")],
    make: async (folder) => {
      const include = `--include=${packages.join(",")}`;
      const rootfs = path.join(folder, "rootfs.tar");
      await succeed("mmdebstrap", ["--quiet", "--variant=minbase", include, suite, rootfs]);
      cpSync(path.join(nodePackage, "bin/node"), path.join(folder, "node"));
      const npm = path.join(folder, "fetched");
      const options = ["--prefix", npm, "--no-audit", "--no-fund", "--loglevel=error"];
      await succeed("npm", ["install", ...options, `npm@${npmVersion}`], { folder });
      cpSync(path.join(npm, "node_modules/npm"), path.join(folder, "npm"), {
        recursive: true,
        verbatimSymlinks: true,
      });
      rmSync(npm, { recursive: true });
      cpSync(dockerfile, path.join(folder, "Dockerfile"));
    },
  });
}
