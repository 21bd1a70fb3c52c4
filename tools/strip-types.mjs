// Plain JavaScript, for building images: takes the types out of TypeScript files, in place. Every line and
// column stays where it was. What is stripped at each start costs a sidecar half of that start, and 24 MiB.
//
//   node tools/strip-types.mjs FOLDER...
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import process from "node:process";
import { strippedMark } from "./stripped.mjs";

for (const folder of process.argv.slice(2)) stripFolder(folder);

/** Follows no link: what is not below the folder is somebody else's. */
function stripFolder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) stripFolder(file);
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const source = readFileSync(file, "utf8");
    if (source.endsWith(strippedMark)) continue;
    writeFileSync(file, stripTypeScriptTypes(source, { mode: "strip" }) + strippedMark);
  }
}
