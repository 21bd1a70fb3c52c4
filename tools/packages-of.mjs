// Plain JavaScript, for building images: copies packages out of node_modules with all that they need,
// so that an image carries no package which only another image uses.
//
//   node tools/packages-of.mjs FOLDER PACKAGE...
import { cpSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";

const [target, ...names] = process.argv.slice(2);
const folders = new Set();
for (const name of names) add(name, ".");
for (const folder of folders) {
  // What is nested in a package is one of its own, and copied when it is needed.
  const filter = (source) =>
    !path.relative(folder, source).split(path.sep).includes("node_modules");
  cpSync(folder, path.join(target, folder), { recursive: true, filter });
}

/** Notes the folder of a package as seen from `from`, and those of what it asks for. */
function add(name, from) {
  const folder = find(name, from);
  if (folder === null || folders.has(folder)) return folder !== null;
  folders.add(folder);
  const description = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const optional = { ...description.optionalDependencies, ...description.peerDependencies };
  for (const each of Object.keys(description.dependencies ?? {})) {
    // npm lists optional ones in both places.
    if (!add(each, folder) && optional[each] === undefined) {
      throw new Error(`${each}, which ${name} needs, is not installed`);
    }
  }
  for (const each of Object.keys(optional)) add(each, folder);
  return true;
}

/** Node's own search: the nearest node_modules, upwards. */
function find(name, from) {
  for (let place = from; ; place = path.dirname(place)) {
    const folder = path.join(place, "node_modules", name);
    if (existsSync(path.join(folder, "package.json"))) return folder;
    if (place === ".") return null;
  }
}
