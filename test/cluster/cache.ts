// Built parts that outlive a run, each in a folder named by the digest of what made it. A folder is
// there whole or not at all: it is made under another name and renamed.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import path from "node:path";
import { step } from "./progress.ts";
import { cacheFolder } from "./settings.ts";

export interface PartRecipe {
  /** One word, part of the folder's name. */
  readonly name: string;
  /** For the progress line. */
  readonly title: string;
  /** Everything that decides what comes out: sources, versions, flags. */
  readonly ingredients: readonly string[];
  /** Fills an empty folder. */
  make(folder: string): Promise<void>;
}

/** Changing a source back and forth costs nothing; more than that is not worth its disk. */
const partsKeptPerName = 2;
const makingPrefix = "making-";
const digestChars = 16;

/** The part's folder, made now if it is not there. The caller holds the machine's lock. */
export async function part(recipe: PartRecipe): Promise<string> {
  const cache = cacheFolder(process.env);
  const folder = path.join(cache, `${recipe.name}-${digestOf(recipe.ingredients)}`);
  if (existsSync(folder)) {
    const now = new Date();
    utimesSync(folder, now, now);
    return folder;
  }
  const making = path.join(cache, `${makingPrefix}${recipe.name}`);
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  await step(recipe.title, () => recipe.make(making));
  renameSync(making, folder);
  prune(recipe.name);
  return folder;
}

function digestOf(ingredients: readonly string[]): string {
  const hash = createHash("sha256").update(`${process.arch}\n`);
  for (const each of ingredients) hash.update(`${Buffer.byteLength(each)}\n${each}`);
  return hash.digest("hex").slice(0, digestChars);
}

function prune(name: string): void {
  for (const old of versions(name).slice(partsKeptPerName)) {
    rmSync(old, { recursive: true, force: true });
  }
}

/** Last used first. */
function versions(name: string): readonly string[] {
  const cache = cacheFolder(process.env);
  const pattern = new RegExp(`^${name}-[0-9a-f]{${digestChars}}$`);
  return readdirSync(cache)
    .filter((each) => pattern.test(each))
    .map((each) => path.join(cache, each))
    .toSorted((left, right) => statSync(right).mtimeMs - statSync(left).mtimeMs);
}
