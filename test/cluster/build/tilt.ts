// Tilt from its Go module. It is a program and no library, so a module of ours asks for it as a tool, with
// the replacements and the checksums that Tilt itself is built with. The page that its server shows is not
// in the module: an empty one takes its place, and Tilt must be told `--web-mode=prod`.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { succeed } from "../command.ts";
import { downloadedModule, goEnvironment, languageVersion } from "./go-module.ts";
import { goProgram } from "./go-toolchain.ts";

const module = "github.com/tilt-dev/tilt";
const version = "v0.33.21";
const command = `${module}/cmd/tilt`;
const page = `vendor/${module}/pkg/assets/build/index.html`;

/** The folder that has the program. */
export function tiltPart(): Promise<string> {
  return part({
    name: "tilt",
    title: "Building Tilt",
    ingredients: [module, version, languageVersion],
    make: async (folder) => {
      const go = await goProgram();
      const { Dir: source } = await downloadedModule(go, `${module}@${version}`);
      const workFolder = path.join(folder, "source");
      mkdirSync(workFolder);
      const goMod = path.join(workFolder, "go.mod");
      const replacements = replacementsOf(readFileSync(path.join(source, "go.mod"), "utf8"));
      writeFileSync(goMod, `module signet.test/tilt\n\ngo ${languageVersion}\n\n${replacements}`);
      writeFileSync(path.join(workFolder, "go.sum"), readFileSync(path.join(source, "go.sum")));
      // Its parser of Tiltfiles is C.
      const environment = { ...goEnvironment(), CGO_ENABLED: "1" };
      const options = { folder: workFolder, environment };
      await succeed(go, ["get", "-tool", `${command}@${version}`], options);
      // What is embedded must lie beside the source, and the module cache is not to be written to.
      await succeed(go, ["mod", "vendor"], options);
      mkdirSync(path.dirname(path.join(workFolder, page)), { recursive: true });
      writeFileSync(path.join(workFolder, page), "<!doctype html>\n");
      const flags = ["-ldflags", `-s -w -X main.version=${version.slice(1)}`];
      const build = ["build", "-mod=vendor", "-trimpath", ...flags, "-o", "tilt", command];
      await succeed(go, build, options);
      renameSync(path.join(workFolder, "tilt"), path.join(folder, "tilt"));
      rmSync(workFolder, { recursive: true });
    },
  });
}

/** The block `replace ( ... )` of a go.mod. */
function replacementsOf(goMod: string): string {
  return /^replace \([^)]*^\)/m.exec(goMod)?.[0] ?? "";
}
