// Workloads written against the SPIFFE libraries that people use, one of each language: what they say of the
// Workload API is what counts. They come from the languages' own registries.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cluster/cache.ts";
import { succeed } from "../cluster/command.ts";
import { ensurePrograms } from "../cluster/prerequisites.ts";
import { checkout } from "../cluster/settings.ts";
import { goPart } from "../cluster/build/go-module.ts";

const parts = path.join(checkout, "test/conformance/parts");
const goVersion = "v2.9.0";
const pythonPackages = ["spiffe==0.3.2", "spiffe-tls==0.4.0"];
const javaVersion = "0.8.17";

/** What it takes to fetch and run them, and the Debian packages that have it. */
const programs = [
  ["ip", "iproute2"],
  ["iptables", "iptables"],
  ["setpriv", "util-linux"],
  ["unzip", "unzip"],
  ["python3", "python3"],
  ["pip3", "python3-pip"],
  ["mvn", "maven"],
  ["javac", "default-jdk-headless"],
] as const;

/** Folders with go-spiffe (a program), py-spiffe (client.py, packages) and java-spiffe (Client.java, lib). */
export interface SpiffeClients {
  readonly go: string;
  readonly python: string;
  readonly java: string;
}

/** The folder with go-spiffe, a program of ours written as go-spiffe's users write one. */
export function goSpiffe(): Promise<string> {
  const requires = { "github.com/spiffe/go-spiffe/v2": goVersion };
  return goPart({ name: "go-spiffe", parts, requires });
}

export async function spiffeClients(): Promise<SpiffeClients> {
  await ensurePrograms(programs);
  return {
    go: await goSpiffe(),
    python: await pythonPart(),
    java: await javaPart(),
  };
}

function pythonPart(): Promise<string> {
  const source = path.join(parts, "py-spiffe/client.py");
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
  const sources = path.join(parts, "java-spiffe");
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
