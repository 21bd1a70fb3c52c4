// A Go compiler: the machine's if it is new enough, otherwise one from the Go module proxy, where
// toolchains are modules, checked against the digest written down here.
import { createHash } from "node:crypto";
import {
  chmodSync,
  createReadStream,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { run, succeed } from "../command.ts";
import { RigError } from "../errors.ts";
import { findProgram } from "../prerequisites.ts";

const minorMin = 25;
const fetched = "1.26.8";
/** Digests as the public checksum database has them (a module's "h1:"). */
const digests: Readonly<Record<string, { readonly platform: string; readonly h1: string }>> = {
  x64: { platform: "linux-amd64", h1: "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=" },
  arm64: { platform: "linux-arm64", h1: "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=" },
};
const proxyDefault = "https://proxy.golang.org";
const machinePlaces = ["go", "/usr/local/go/bin/go"];

/** The path of a `go` program. */
export async function goProgram(): Promise<string> {
  for (const place of machinePlaces) {
    const found = findProgram(place);
    if (found === null) continue;
    const environment = { ...process.env, GOTOOLCHAIN: "local" };
    const { stdout } = await run(found, ["env", "GOVERSION"], { environment });
    const minor = /^go1\.(\d+)/.exec(stdout.trim())?.[1];
    if (minor !== undefined && Number(minor) >= minorMin) return found;
  }
  return path.join(await fetchedToolchain(), "bin/go");
}

async function fetchedToolchain(): Promise<string> {
  const known = digests[process.arch];
  if (known === undefined) {
    throw new RigError("prerequisite_missing", `No Go toolchain known for ${process.arch}`, {
      next: `Install Go 1.${minorMin} or later`,
    });
  }
  const version = `v0.0.1-go${fetched}.${known.platform}`;
  return part({
    name: "go",
    title: `Fetching Go ${fetched}`,
    ingredients: [version, known.h1],
    make: async (folder) => {
      const archive = path.join(folder, "toolchain.zip");
      writeFileSync(archive, await download(`golang.org/toolchain/@v/${version}.zip`));
      await succeed("unzip", ["-q", archive, "-d", folder]);
      rmSync(archive);
      const found = await moduleDigest(folder);
      if (found !== known.h1) {
        throw new RigError("digest_mismatch", `Go ${fetched} came with digest "${found}"`, {
          next: `Expected "${known.h1}": do not use that module proxy`,
        });
      }
      const inside = path.join(folder, "golang.org", `toolchain@${version}`);
      for (const name of readdirSync(inside)) {
        renameSync(path.join(inside, name), path.join(folder, name));
      }
      rmSync(path.join(folder, "golang.org"), { recursive: true });
      // A module's archive carries no permissions.
      for (const programs of ["bin", "pkg/tool"]) makeExecutable(path.join(folder, programs));
    },
  });
}

async function download(file: string): Promise<Uint8Array> {
  const named = (process.env["GOPROXY"] ?? "")
    .split(/[,|]/)
    .filter((each) => /^https?:/.test(each));
  const reasons: string[] = [];
  for (const proxy of named.length === 0 ? [proxyDefault] : named) {
    const url = `${proxy.replace(/\/$/, "")}/${file}`;
    try {
      const response = await fetch(url);
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      reasons.push(`${url}: ${response.status}`);
    } catch (error) {
      reasons.push(`${url}: ${String(error)}`);
    }
  }
  throw new RigError("prerequisite_missing", `Cannot fetch Go: ${reasons.join("; ")}`, {
    next: `Install Go 1.${minorMin} or later, or name a reachable module proxy in GOPROXY`,
  });
}

/** "h1:" as Go defines it: SHA-256 over a sorted list of each file's SHA-256 and name. */
async function moduleDigest(folder: string): Promise<string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  const list = createHash("sha256");
  for (const file of files.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const content = createHash("sha256");
    for await (const chunk of createReadStream(path.join(folder, file))) content.update(chunk);
    list.update(`${content.digest("hex")}  ${file}\n`);
  }
  return `h1:${list.digest("base64")}`;
}

function makeExecutable(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) chmodSync(path.join(entry.parentPath, entry.name), 0o755);
  }
}
