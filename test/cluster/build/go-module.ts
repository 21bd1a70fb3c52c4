// Builds one Go program of ours (NAME/main.go of a folder of parts) with the modules it imports. Its
// go.mod is written here; go.sum is made by Go, which asks the checksum database for each module.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { succeed } from "../command.ts";
import { rigFolder } from "../settings.ts";
import { goProgram } from "./go-toolchain.ts";

export interface GoRecipe {
  readonly name: string;
  /** Folder that has NAME/main.go; default test/cluster/parts. */
  readonly parts?: string;
  /** Module -> version. */
  readonly requires: Readonly<Record<string, string>>;
  readonly linkerFlags?: readonly string[];
  /** Further lines of go.mod, when they need the network to be known. */
  readonly moreOfGoMod?: (go: string) => Promise<string>;
  /** Further names for the program. */
  finish?(folder: string): void;
}

/** Language version that the modules ask for; any Go from here on builds them. */
export const languageVersion = "1.25.0";

/** The folder that has the program under its name. */
export async function goPart(recipe: GoRecipe): Promise<string> {
  const source = path.join(recipe.parts ?? path.join(rigFolder, "parts"), recipe.name, "main.go");
  const flags = ["-s", "-w", ...(recipe.linkerFlags ?? [])].join(" ");
  const requires = Object.entries(recipe.requires)
    .map(([module, version]) => `require ${module} ${version}\n`)
    .join("");
  const goMod = `module signet.test/${recipe.name}\n\ngo ${languageVersion}\n\n${requires}`;
  return part({
    name: recipe.name,
    title: `Building ${recipe.name}`,
    ingredients: [goMod, flags, readFileSync(source, "utf8")],
    make: async (folder) => {
      const go = await goProgram();
      const workFolder = path.join(folder, "source");
      mkdirSync(workFolder);
      copyFileSync(source, path.join(workFolder, "main.go"));
      const more = (await recipe.moreOfGoMod?.(go)) ?? "";
      writeFileSync(path.join(workFolder, "go.mod"), `${goMod}\n${more}`);
      const options = { folder: workFolder, environment: goEnvironment() };
      await succeed(go, ["mod", "tidy"], options);
      const output = path.join(folder, recipe.name);
      await succeed(go, ["build", "-trimpath", "-ldflags", flags, "-o", output, "."], options);
      rmSync(workFolder, { recursive: true });
      recipe.finish?.(folder);
    },
  });
}

/** What `go mod download -json` says of a module. */
export async function downloadedModule(
  go: string,
  module: string,
): Promise<{ readonly Dir: string; readonly GoMod: string }> {
  const text = await succeed(go, ["mod", "download", "-json", module], {
    environment: goEnvironment(),
  });
  return JSON.parse(text) as { readonly Dir: string; readonly GoMod: string };
}

/** Static programs, and never another toolchain than the one that was chosen. */
export function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" };
}
