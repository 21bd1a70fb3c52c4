// Plain JavaScript, for building images: copies packages out of node_modules with all that they need,
// so that an image carries no package which only another image uses, and of each package only what can
// run: no declarations, source maps, documents or tests, and nothing that is optional.
//
//   node tools/packages-of.mjs FOLDER PACKAGE...
import { cpSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** Files that nothing loads: Node refuses to strip types below node_modules. */
const idleFiles = /\.(?:[cm]?ts|map|md|markdown|flow|sh|yml|tgz)$/i;
/** Folders of a package that only its own authors use, and programs for other machines. */
const idleFolders = new Set(
  "test tests __tests__ bench benchmark benchmarks example examples docs prebuilds android ios".split(
    " ",
  ),
);

const [target, ...names] = process.argv.slice(2);
const folders = new Set();
for (const name of names) add(name, ".");
for (const folder of folders) {
  const filter = (source) => isUsed(path.relative(folder, source));
  cpSync(folder, path.join(target, folder), { recursive: true, filter });
}

/** Notes the folder of a package as seen from `from`, and those of what it asks for. */
function add(name, from) {
  const folder = find(name, from);
  if (folder === null || folders.has(folder)) return folder !== null;
  folders.add(folder);
  const description = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const { dependencies, peerDependencies, peerDependenciesMeta } = description;
  for (const each of Object.keys({ ...dependencies, ...peerDependencies })) {
    // npm lists optional ones among the others, too; and declarations are of no use.
    const isOptional =
      description.optionalDependencies?.[each] !== undefined ||
      peerDependenciesMeta?.[each]?.optional === true;
    if (isOptional || each.startsWith("@types/")) continue;
    if (!add(each, folder)) {
      throw new Error(`${each}, which ${name} needs, is not installed`);
    }
  }
  return true;
}

/** By its path within its package. */
function isUsed(place) {
  const [first, ...others] = place.split(path.sep);
  if (idleFolders.has(first) || (first.startsWith(".") && first !== "")) return false;
  // What is nested in a package is one of its own, and copied when it is needed.
  return ![first, ...others].includes("node_modules") && !idleFiles.test(place);
}

/** Node's own search: the nearest node_modules, upwards. */
function find(name, from) {
  for (let place = from; ; place = path.dirname(place)) {
    const folder = path.join(place, "node_modules", name);
    if (existsSync(path.join(folder, "package.json"))) return folder;
    if (place === ".") return null;
  }
}
