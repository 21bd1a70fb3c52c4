import test from "ava";
import { parseYaml } from "#/lib/yaml.ts";
import { UsageError } from "../args.ts";
import { readBase } from "../install/base.ts";
import { createPrinter } from "../print.ts";
import type { OutputFormat } from "../print.ts";
import type { CommandContext } from "./context.ts";
import { printInstall } from "./install.ts";

const repository = process.cwd();
const base = readBase(repository).map(({ object }) => object);

async function printed(
  options: Readonly<Record<string, string | true>>,
  format: OutputFormat = "table",
): Promise<{ stdout: string; stderr: string }> {
  const output = { stdout: "", stderr: "" };
  const to = (name: keyof typeof output) => ({
    write: (text: string) => void (output[name] += text),
  });
  const print = createPrinter(format, {}, to("stdout"), to("stderr"));
  await printInstall({ print, repository, options } as unknown as CommandContext);
  return output;
}

test("install prints every object of k8s/base as it stands there, comments too", async (t) => {
  const { stdout, stderr } = await printed({});
  t.deepEqual(
    parseYaml(stdout).map((document) => document.value()),
    base,
  );
  t.regex(stdout, /# The mesh's root: made once, by whichever replica is first/);
  t.is(stderr, "");
});

test("install keeps the comments of what its options change", async (t) => {
  const { stdout, stderr } = await printed({ replicas: "1", "no-storage": true, tag: "v1" });
  const objects = parseYaml(stdout).map((document) => document.value());
  t.is(objects.length, base.length);
  t.regex(stdout, /# Published by the controller: until then these pods wait/);
  t.regex(stdout, /image: signet\/controller:v1\n/);
  t.regex(stderr, /the record of what was issued to whom, is lost with its pod/);
});

test("install -o json prints the same objects as one List", async (t) => {
  const { stdout } = await printed({}, "json");
  t.deepEqual(JSON.parse(stdout), { apiVersion: "v1", kind: "List", items: base });
});

test("install prints what an option adds behind what stands there, in either form", async (t) => {
  const options = { "bundle-port": "8445" };
  const { stdout } = await printed(options);
  const objects = parseYaml(stdout).map((document) => document.value());
  t.is(objects.length, base.length + 1);
  t.like(objects.at(-1), { kind: "Service", metadata: { name: "signet-bundle" } });
  const { items } = JSON.parse((await printed(options, "json")).stdout) as { items: unknown[] };
  t.deepEqual(items, objects);
});

test("install prints nothing when an option cannot stand", async (t) => {
  await t.throwsAsync(printed({ replicas: "many" }), { instanceOf: UsageError });
});
