// The Tiltfile and its overlay repeat what the Dockerfile says: which folders are in an image, and how it
// starts. They must not drift apart, or an edit would reach nothing, or something else would run.
import { readFileSync, readdirSync } from "node:fs";
import test from "ava";
import { parseYaml } from "#/lib/yaml.ts";

const dockerfile = readFileSync("Dockerfile", "utf8");
const tiltfile = readFileSync("Tiltfile", "utf8");

/** What a person who edits needs, and what --watch-path asks for under the permission model. */
const forEditing =
  /^--watch-path=|^--import=data:|^--allow-child-process$|^--disable-warning=PERM0002$/;

interface Stage {
  readonly parent: string;
  readonly body: string;
}

const stages = new Map<string, Stage>();
for (const text of dockerfile.split(/^(?=FROM )/m)) {
  const [, parent = "", name = ""] = /^FROM (\S+) AS (\S+)/.exec(text) ?? [];
  stages.set(name, { parent, body: text });
}

/** Folders of the checkout that are in the target, of its own and of what it starts from. */
function foldersOf(target: string): readonly string[] {
  const stage = stages.get(target);
  if (stage === undefined) return [];
  const copies = stage.body.matchAll(/^COPY --from=source \/signet\/([a-z-]+) \1$/gm);
  const own = [...copies].map(([, folder = ""]) => folder);
  // What loads source without types is no source that anybody edits.
  return [...foldersOf(stage.parent), ...own.filter((folder) => folder !== "tools")];
}

function entrypointOf(target: string): readonly string[] {
  const text = /^ENTRYPOINT (\[.*\])$/m.exec(stages.get(target)?.body ?? "")?.[1] ?? "[]";
  return JSON.parse(text) as string[];
}

/** Of each `image(...)`: the target, and whether its containers are edited in place. */
const images = [...tiltfile.matchAll(/^image\("([a-z-]+)", (.*)\)$/gm)].map(
  ([, target = "", rest = ""]) => ({
    target,
    source: sourceOf(rest.replace(/, editable = False$/, "")),
    isEditable: !rest.endsWith("editable = False"),
  }),
);

/** A sum of lists and of names of lists. */
function sourceOf(expression: string): readonly string[] {
  return expression.split(" + ").flatMap((term) => {
    if (term.startsWith("[")) return JSON.parse(term) as string[];
    const list = new RegExp(`^${term} = (\\[.*\\])$`, "m").exec(tiltfile)?.[1] ?? "[]";
    return JSON.parse(list) as string[];
  });
}

const commandsOf = (target: string): readonly string[] => {
  const text = readFileSync(`k8s/overlays/tilt/${target}.yaml`, "utf8");
  const list = / {10}command:\n((?: {12}.*\n)+)/.exec(
    text.slice(text.indexOf(" containers:")),
  )?.[1];
  const lines = (list ?? "").split("\n").map((line) => line.trim());
  return lines.filter((line) => line.startsWith("- ")).map((line) => line.slice(2));
};

test("the Tiltfile builds every image that mesh and demo name", (t) => {
  const files = ["k8s/base", "k8s/demo"].flatMap((folder) =>
    readdirSync(folder).map((file) => `${folder}/${file}`),
  );
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const named = [...text.matchAll(/(?:image|value): signet\/([a-z-]+)$/gm)];
  const targets = new Set(named.map(([, target = ""]) => target));
  t.deepEqual(images.map(({ target }) => target).toSorted(), [...targets].toSorted());
});

/** Tilt makes resources of these by itself, and puts Services to what they select. */
const workloads: ReadonlySet<string> = new Set(["Deployment", "Service", "StatefulSet"]);

// What belongs to no resource Tilt applies first of all, before there is a namespace.
test("every object of mesh and demo belongs to a resource of the Tiltfile", (t) => {
  const listed = [...tiltfile.matchAll(/\bof\("([a-z]+)", ([^)]*)\)/g)].flatMap(
    ([, kind = "", names = ""]) =>
      [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => `${kind}:${name}`),
  );
  const objects = ["k8s/base", "k8s/crds", "k8s/demo"].flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml")
      .flatMap((file) => parseYaml(readFileSync(`${folder}/${file}`, "utf8")))
      .map((document) => document.value() as { kind: string; metadata: { name: string } }),
  );
  const named = objects
    .filter(({ kind }) => !workloads.has(kind))
    .map(({ kind, metadata }) => `${kind.toLowerCase()}:${metadata.name}`);
  t.deepEqual(listed.toSorted(), named.toSorted());
});

for (const { target, source, isEditable } of images) {
  test(`${target} is built of the folders that Tilt watches for it`, (t) => {
    const watched = [...new Set(source.map((each) => each.split("/")[0] ?? ""))];
    t.deepEqual(watched.toSorted(), [...new Set(foldersOf(target))].toSorted());
  });
  if (!isEditable) continue;
  test(`${target} starts under Tilt as it does by itself, and again when its source changes`, (t) => {
    const command = commandsOf(target);
    t.deepEqual(
      command.filter((word) => !forEditing.test(word)),
      entrypointOf(target),
    );
    const restarting = command.filter((word) => word.startsWith("--watch-path="));
    t.deepEqual(
      restarting.map((word) => word.slice("--watch-path=".length)).toSorted(),
      [...new Set(foldersOf(target))].toSorted(),
    );
  });
}
