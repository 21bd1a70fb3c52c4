// Plain JavaScript, for images: loads files that tools/strip-types.mjs has been through as they are. A file
// without its mark, one edited in a running pod, goes Node's own way.
//
//   node --import=./tools/stripped.mjs MAIN
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/** The last line of a file that holds no types any more. */
export const strippedMark = "\n// Types were stripped.\n";

registerHooks({
  load(url, context, next) {
    if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
    const source = readFileSync(fileURLToPath(url), "utf8");
    if (!source.endsWith(strippedMark)) return next(url, context);
    return { format: "module", shortCircuit: true, source };
  },
});
