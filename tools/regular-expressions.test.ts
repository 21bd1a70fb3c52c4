// Every regular expression of the mesh, against texts made to send a backtracking engine astray.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "ava";

interface Found {
  readonly where: string;
  readonly pattern: RegExp;
}

/** Processes that read what others send; the command line and the apps read their own user's words. */
const folders = "lib identity api cluster ca controller proxy proxy-init injector local".split(" ");
/** A slash that cannot be a division, a body with classes and escapes, flags, and no letter after. */
const literal =
  /(?<=[(,=:?!&|[>]\s*|\breturn\s+|^\s*)\/((?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)(?![\w/])/gm;

function found(): readonly Found[] {
  const git = [
    "ls-files",
    "--",
    ...folders.map((folder) => `${folder}/**/*.ts`),
    ...folders.map((folder) => `${folder}/*.ts`),
  ];
  const files = execFileSync("git", git, { encoding: "utf8" }).split("\n");
  return files
    .filter((file) => file !== "" && !file.endsWith(".test.ts") && !file.startsWith("api/gen/"))
    .flatMap((file) => {
      const code = readFileSync(file, "utf8").replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
      return [...code.matchAll(literal)].map(([, source = "", flags = ""]) => ({
        where: `${file}: /${source}/${flags}`,
        pattern: new RegExp(source, flags.replaceAll(/[gy]/g, "")),
      }));
    });
}

/** What the pattern itself names, and what its classes stand for. */
function unitsOf({ pattern }: Found): readonly string[] {
  const named = pattern.source.replaceAll(/\\[a-zA-Z]|[()[\]{}|^$*+?]/g, "");
  const single = [...new Set(`a0A -./:,\t\n"=${named}`.split(""))];
  return [...single, "a ", "a.", "a,", "a-", "0.", " \t", "a=", '""', "ab"];
}

/** The best of three, in milliseconds: somebody else may have had the processor. */
function cost({ pattern }: Found, text: string): number {
  let best = Infinity;
  for (let round = 0; round < 3 && best > limitMs; round += 1) {
    const began = performance.now();
    pattern.test(text);
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

const limitMs = 60;
/** Step by step to begin with: what is exponential would never come back from the last. */
const counts = [...Array.from({ length: 12 }, (_, index) => 18 + 2 * index), 10_000];
const texts = new Map<string, string>();

/** Flat, and made once: most expressions are asked about the same ones. */
function textOf(front: string, unit: string, count: number, end: string): string {
  const key = JSON.stringify([front, unit, count, end]);
  let text = texts.get(key);
  if (text === undefined) {
    text = Buffer.from(front + unit.repeat(count) + end).toString();
    texts.set(key, text);
  }
  return text;
}

/** What makes it slow, in words; null: nothing that was tried. */
function slowness(each: Found): string | null {
  for (const unit of unitsOf(each)) {
    for (const front of ["", "\u0000"]) {
      for (const count of counts) {
        const ms = cost(each, textOf(front, unit, count, "\u0000"));
        if (ms > limitMs) {
          return `${each.where} takes ${Math.round(ms)} ms for ${count} times ${JSON.stringify(unit)}`;
        }
      }
    }
  }
  return null;
}

test("attack-25 no regular expression backtracks its way through a text", (t) => {
  const all = found();
  t.true(all.length > 50, `only ${all.length} were found: the search is broken`);
  t.deepEqual(
    all.map(slowness).filter((fault) => fault !== null),
    [],
  );
});

for (const pattern of [/^(a+)+$/, /^(?:a|a)*$/, /^(\d+\.?)*$/, /\s+$/]) {
  test(`attack-25 the search for slow expressions knows /${pattern.source}/ for one`, (t) => {
    t.regex(slowness({ where: "here", pattern }) ?? "", /^here takes \d+ ms/);
  });
}

test("attack-25 no expression is made from what somebody else wrote", (t) => {
  const git = ["grep", "-nE", String.raw`(new |\b)RegExp\(`, "--", ...folders];
  const made = execFileSync("git", git, { encoding: "utf8" }).split("\n");
  const ours = made.filter((line) => line !== "" && !line.includes(".test.ts:"));
  // From two names of chains that are constants.
  t.deepEqual(
    ours.map((line) => line.split(":")[0]),
    ["proxy-init/rules.ts"],
  );
});
