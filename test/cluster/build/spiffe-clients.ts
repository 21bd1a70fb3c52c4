// Workloads written against the SPIFFE libraries that people use, one of each language: what they say of the
// Workload API is what counts. They come from the languages' own registries.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { succeed } from "../command.ts";
import { rigFolder } from "../settings.ts";
import { goPart } from "./go-module.ts";

const goVersion = "v2.9.0";
const pythonPackages = ["spiffe==0.3.2", "spiffe-tls==0.4.0"];
const javaVersion = "0.8.17";

/** Folders with go-spiffe (a program), py-spiffe (client.py, packages) and java-spiffe (Client.java, lib). */
export interface SpiffeClients {
  readonly go: string;
  readonly python: string;
  readonly java: string;
}

export async function spiffeClients(): Promise<SpiffeClients> {
  const requires = { "github.com/spiffe/go-spiffe/v2": goVersion };
  return {
    go: await goPart({ name: "go-spiffe", requires }),
    python: await pythonPart(),
    java: await javaPart(),
  };
}

function pythonPart(): Promise<string> {
  const source = path.join(rigFolder, "parts/py-spiffe/client.py");
  return part({
    name: "py-spiffe",
    title: "Fetching SPIFFE for Python",
    ingredients: [...pythonPackages, readFileSync(source, "utf8")],
    make: async (folder) => {
      const target = path.join(folder, "packages");
      const flags = ["--quiet", "--no-compile", "--root-user-action=ignore", "--target", target];
      await succeed("python3", ["-m", "pip", "install", ...flags, ...pythonPackages]);
      copyFileSync(source, path.join(folder, "client.py"));
    },
  });
}

function javaPart(): Promise<string> {
  const sources = path.join(rigFolder, "parts/java-spiffe");
  const files = ["Client.java", "pom.xml"];
  const texts = files.map((name) => readFileSync(path.join(sources, name), "utf8"));
  return part({
    name: "java-spiffe",
    title: "Fetching SPIFFE for Java",
    ingredients: [javaVersion, ...texts],
    make: async (folder) => {
      for (const name of files) copyFileSync(path.join(sources, name), path.join(folder, name));
      const library = path.join(folder, "lib");
      mkdirSync(library);
      const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${library}`];
      const flags = ["--quiet", "--batch-mode", `-Djava-spiffe.version=${javaVersion}`];
      await succeed("mvn", [...flags, ...goal], { folder });
    },
  });
}
