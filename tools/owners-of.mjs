// Plain JavaScript, for building images: which Debian package brought each file below a folder, a line per
// file: path, package, version, architecture and source package, separated by tabs. What no package
// brought is left out.
//
//   node tools/owners-of.mjs ROOT
import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** Made from its package's files when the package is installed. */
const generated = { "/etc/ssl/certs/ca-certificates.crt": "ca-certificates" };

const root = process.argv[2] ?? "";
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (entry.isDirectory()) continue;
  const file = path.join("/", path.relative(root, entry.parentPath), entry.name);
  // A link is of whoever brought what it leads to.
  const link = entry.isSymbolicLink() ? readlinkSync(path.join(root, file)) : "";
  const owner = ownerOf(path.resolve(path.dirname(file), link === "" ? file : link));
  if (owner === null) continue;
  const format = "${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\n";
  process.stdout.write(`${file}\t${ask(["--show", `--showformat=${format}`, owner])}`);
}

/** Under /usr or not, programs also where the Dockerfile puts them: a package knows one of the names. */
function ownerOf(file) {
  if (generated[file] !== undefined) return generated[file];
  const plain = file.replace(/^\/usr\/local/, "").replace(/^\/usr/, "");
  for (const name of [file, plain, `/usr${plain}`]) {
    const lines = ask(["--search", name]).split("\n");
    // Also says which package took a name from another: "diversion by".
    const line = lines.find((each) => /^[^\s:]+(?::\w+)?: /.test(each));
    if (line !== undefined) return line.slice(0, line.indexOf(": "));
  }
  return null;
}

function ask(parameters) {
  return spawnSync("dpkg-query", parameters, { encoding: "utf8" }).stdout;
}
