// Our source as it lies in an image: without types, beside the packages. A folder that stands for /signet.
import { execFileSync } from "node:child_process";
import { cpSync, symlinkSync } from "node:fs";

/** What the images of the mesh carry of the checkout. */
const sources = "lib identity api cluster ca controller injector proxy".split(" ");
const parts = ["package.json", "tools/stripped.mjs", ...sources];

/** Fills a folder that is not there yet, with the very program that the Dockerfile uses. */
export function makeImageTree(projectFolder: string, folder: string): void {
  const filter = (source: string): boolean => !source.endsWith(".test.ts");
  for (const part of parts) {
    cpSync(`${projectFolder}/${part}`, `${folder}/${part}`, { recursive: true, filter });
  }
  const quiet = "--disable-warning=ExperimentalWarning";
  const strip = [quiet, `${projectFolder}/tools/strip-types.mjs`, ...sources];
  execFileSync(process.execPath, strip, { cwd: folder });
  symlinkSync(`${projectFolder}/node_modules`, `${folder}/node_modules`);
}
