// The rules of the house as tests: layers, walls, sizes, and what must not be called where.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "ava";
import {
  clockFiles,
  environmentFiles,
  foreignPackages,
  innerLayers,
  layers,
  linesMax,
  outerFolders,
  testPackages,
} from "./layers.ts";

interface Source {
  readonly file: string;
  readonly folder: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const importPattern = /^\s*(?:import|export)\b[^"';]*?from\s+"([^"]+)"|^\s*import\s+"([^"]+)"/gm;
const dynamicPattern = /\bimport\(\s*"([^"]+)"\s*\)/g;

function listed(...patterns: string[]): string[] {
  const git = ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns];
  return execFileSync("git", git, { encoding: "utf8" })
    .split("\n")
    .filter((file) => file !== "" && existsSync(file));
}

function readSource(file: string): Source {
  const text = readFileSync(file, "utf8");
  const imports = [...text.matchAll(importPattern), ...text.matchAll(dynamicPattern)].map(
    (match) => match[1] ?? match[2] ?? "",
  );
  return { file, folder: file.split("/")[0] ?? "", text, imports };
}

const sources = listed("*.ts").map(readSource);
const isTest = (source: Source): boolean => source.file.endsWith(".test.ts");
const generated = (source: Source): boolean => source.file.startsWith("api/gen/");
const production = sources.filter(
  (source) => source.file.includes("/") && !isTest(source) && !outerFolders.includes(source.folder),
);

/** "http1" of "http/http1/bytes.ts"; null for a file of the top folder itself. */
function innerPart(file: string): string | null {
  const parts = file.split("/");
  return parts.length > 2 ? (parts[1] ?? null) : null;
}

/** The file an import of the project itself points to, or null for packages and node: modules. */
function target(source: Source, specifier: string): string | null {
  if (specifier.startsWith("#/")) return specifier.slice(2);
  if (!specifier.startsWith(".")) return null;
  return path.posix.normalize(path.posix.join(path.posix.dirname(source.file), specifier));
}

function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

function none(
  t: { deepEqual(actual: unknown, expected: unknown): unknown },
  faults: string[],
): void {
  t.deepEqual(faults, []);
}

test("tidy every source folder has a place in the layer table", (t) => {
  const unknown = production.filter((source) => layers[source.folder] === undefined);
  none(
    t,
    unknown.map((source) => source.file),
  );
});

test("tidy folders import only the layers below them", (t) => {
  const faults: string[] = [];
  for (const source of production) {
    const allowed = [source.folder, ...(layers[source.folder]?.imports ?? [])];
    for (const specifier of source.imports) {
      const file = target(source, specifier);
      if (file === null) continue;
      const within = allowed.some((name) => file === name || file.startsWith(`${name}/`));
      if (!within) faults.push(`${source.file} imports ${specifier}`);
    }
  }
  none(t, faults);
});

test("tidy imports across folders say so with #/ and within a folder with ./", (t) => {
  const faults: string[] = [];
  for (const source of sources) {
    for (const specifier of source.imports) {
      const file = target(source, specifier);
      if (file === null) continue;
      const sameFolder = file.startsWith(`${source.folder}/`);
      if (sameFolder === specifier.startsWith("#/") && source.file.includes("/")) {
        faults.push(`${source.file} imports ${specifier}`);
      }
    }
  }
  none(t, faults);
});

test("tidy packages are imported only behind their wall", (t) => {
  const faults: string[] = [];
  for (const source of sources.filter((each) => each.file.includes("/"))) {
    const outer = outerFolders.includes(source.folder) || isTest(source);
    const walls = layers[source.folder]?.packages ?? {};
    for (const specifier of source.imports) {
      if (target(source, specifier) !== null || specifier.startsWith("node:")) continue;
      const name = packageName(specifier);
      const foreign = foreignPackages[name];
      if (foreign !== undefined && !foreign.some((prefix) => source.file.startsWith(prefix))) {
        faults.push(`${source.file} imports ${name}`);
      }
      if (outer && testPackages.includes(name)) continue;
      if (outer) continue;
      const wall = walls[name] ?? [];
      if (!wall.some((prefix) => source.file.startsWith(prefix))) {
        faults.push(`${source.file} imports ${name}`);
      }
    }
  }
  none(t, faults);
});

test("tidy inside a top folder its own folders keep to their places: byte parts stay pure, directions never meet", (t) => {
  const faults: string[] = [];
  for (const source of production) {
    const inner = innerLayers[source.folder];
    const part = innerPart(source.file);
    if (inner === undefined || part === null) continue;
    const allowed = inner[part];
    if (allowed === undefined) {
      faults.push(`${source.file}: no place in innerLayers`);
      continue;
    }
    for (const specifier of source.imports) {
      const file = target(source, specifier);
      if (file === null || !file.startsWith(`${source.folder}/`)) continue;
      const other = innerPart(file) ?? file;
      if (other !== part && !allowed.includes(other)) {
        faults.push(`${source.file} imports ${specifier}`);
      }
    }
  }
  none(t, faults);
});

test("tidy there are no import cycles", (t) => {
  const graph = new Map(
    production.map((source) => [
      source.file,
      source.imports.map((specifier) => target(source, specifier)).filter((file) => file !== null),
    ]),
  );
  const done = new Set<string>();
  const faults: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) faults.push([...trail.slice(trail.indexOf(file)), file].join(" -> "));
    if (done.has(file) || trail.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  none(t, faults);
});

test("tidy time, chance, console and environment come only from their places", (t) => {
  const faults: string[] = [];
  for (const source of production) {
    const code = source.text.replaceAll(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "");
    const clock = clockFiles.includes(source.file);
    const edge = environmentFiles.test(source.file) || source.folder === "apps";
    const checks: readonly (readonly [boolean, RegExp, string])[] = [
      [!clock && !edge, /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(/, "clock or chance"],
      [!environmentFiles.test(source.file), /\bprocess\.env\b/, "process.env"],
      [true, /\bconsole\./, "console"],
      [true, /\bas any\b|@ts-ignore|@ts-nocheck|oxlint-disable(?!-next-line)/, "a silenced check"],
    ];
    for (const [applies, pattern, what] of checks) {
      if (applies && pattern.test(code)) faults.push(`${source.file}: ${what}`);
    }
  }
  none(t, faults);
});

test("tidy files stay small", (t) => {
  const long = sources
    .filter((source) => !generated(source))
    .map((source) => ({ file: source.file, lines: source.text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > linesMax);
  none(
    t,
    long.map(({ file, lines }) => `${file}: ${lines} lines`),
  );
});

test("tidy every file opens with what it is", (t) => {
  const bare = sources.filter(
    (source) =>
      !generated(source) && !isTest(source) && !/^(?:#!.*\n)?(?:\/\/|\/\*\*)/.test(source.text),
  );
  none(
    t,
    bare.map((source) => source.file),
  );
});

test("tidy no test is switched off and no work is left as a note", (t) => {
  const faults = sources
    .filter((source) => source.file !== "tools/tidy.test.ts")
    .filter((source) =>
      /\btest\.(?:only|skip|todo|failing)\b|\b(?:TODO|FIXME|XXX)\b[:(]/.test(source.text),
    );
  none(
    t,
    faults.map((source) => source.file),
  );
});

test("tidy names say what a thing is", (t) => {
  const vague = sources.filter((source) =>
    /(?:^|\/)(?:utils?|helpers?|manager|misc)\b/.test(source.file),
  );
  none(
    t,
    vague.map((source) => source.file),
  );
});

test("tidy each document has one title", (t) => {
  const faults = listed("*.md").filter((file) => {
    const prose = readFileSync(file, "utf8").replaceAll(/^```[\s\S]*?^```/gm, "");
    return (prose.match(/^# /gm) ?? []).length !== 1;
  });
  none(t, faults);
});
