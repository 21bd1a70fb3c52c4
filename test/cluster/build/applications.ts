// Applications that others wrote, as an OCI layout of their own: only the tests that ask them need them.
import { readFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { step } from "../progress.ts";
import { rigFolder } from "../settings.ts";
import { baseImageName, baseImagePart } from "./base-image.ts";
import { buildImage, writeLayout } from "./buildah.ts";

/** Targets of parts/applications/Dockerfile; an image is named signet-test/TARGET. */
const targets = ["httpbin", "nginx"];
const context = path.join(rigFolder, "parts/applications");
const dockerfile = path.join(context, "Dockerfile");

/** The folder of an OCI layout with all of them. */
export async function applicationsPart(): Promise<string> {
  const base = await baseImagePart();
  return part({
    name: "applications",
    title: "Building the applications of others",
    ingredients: [base, readFileSync(dockerfile, "utf8")],
    make: async (folder) => {
      const baseDockerfile = path.join(base, "Dockerfile");
      await buildImage({ name: baseImageName, context: base, dockerfile: baseDockerfile });
      for (const target of targets) {
        const build = { name: `signet-test/${target}`, context, dockerfile, target };
        await step(build.name, () => buildImage(build));
      }
      const names = targets.map((target) => `signet-test/${target}`);
      await step("one layout of all", () => writeLayout(folder, names));
    },
  });
}
