import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { parseYaml } from "#/lib/yaml.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { UsageError } from "../args.ts";
import { createPrinter } from "../print.ts";
import type { OutputFormat } from "../print.ts";
import type { CommandContext } from "./context.ts";
import { injectManifests } from "./inject.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- manifests are looked at as plain data
type Loose = any;

const authority = await createAuthority();
const folder = mkdtempSync(path.join(tmpdir(), "signet-inject-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const location = path.join(folder, name);
  writeFileSync(location, text);
  return location;
}

const bundle = file("bundle.pem", toPem(authority.root));
const pod = (name: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop}\nspec: {containers: [{name: c, image: x}]}`;
const service = "# a service\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n";

async function injected(
  files: readonly string[],
  options: Readonly<Record<string, string | true>> = {},
  format: OutputFormat = "table",
): Promise<{ objects: readonly Loose[]; stdout: string; stderr: string }> {
  const output = { stdout: "", stderr: "" };
  const to = (name: keyof typeof output) => ({
    write: (text: string) => void (output[name] += text),
  });
  const print = createPrinter(format, {}, to("stdout"), to("stderr"));
  const { signal } = new AbortController();
  const context = { print, signal, words: { files }, options: { bundle, ...options } };
  await injectManifests(context as unknown as CommandContext);
  const objects = parseYaml(output.stdout).map((document) => document.value());
  return { ...output, objects };
}

test("inject pins the roots of --bundle, and takes images and trust domain from options", async (t) => {
  const options = { registry: "r.io/a", tag: "v1", "trust-domain": "a.b" };
  const { objects } = await injected([file("one.yaml", pod("one"))], options);
  const [init, proxy] = objects[0].spec.initContainers;
  t.is(init.image, "r.io/a/proxy-init:v1");
  t.is(proxy.image, "r.io/a/proxy:v1");
  const told = (name: string): string => proxy.env.find((each: Loose) => each.name === name).value;
  t.is(told("SIGNET_ROOT_FINGERPRINTS"), fingerprint(authority.root));
  t.is(told("SIGNET_TRUST_DOMAIN"), "a.b");
});

test("inject prints several files as one, in their order", async (t) => {
  const files = [file("a.yaml", pod("a")), file("s.yaml", service), file("b.yaml", pod("b"))];
  const { objects, stdout } = await injected(files);
  t.deepEqual(
    objects.map(({ metadata }) => metadata.name),
    ["a", "s", "b"],
  );
  t.true(stdout.includes(`---\n${service}---\n`));
});

test("inject -o json prints all objects as one List", async (t) => {
  const files = [file("j.yaml", `${pod("j")}\n---\n${service}`)];
  const { stdout } = await injected(files, {}, "json");
  const list: Loose = JSON.parse(stdout);
  t.deepEqual(
    list.items.map(({ kind }: Loose) => kind),
    ["Pod", "Service"],
  );
});

test("inject refuses what it cannot use, and prints nothing", async (t) => {
  const good = file("good.yaml", pod("good"));
  const nowhere = path.join(folder, "nowhere");
  await t.throwsAsync(injected([nowhere]), { message: /^Cannot read ".*nowhere": ENOENT/ });
  await t.throwsAsync(injected([good], { bundle: nowhere }), {
    message: /^Cannot read ".*nowhere"/,
  });
  await t.throwsAsync(injected([good], { bundle: good }), { message: /no certificate/ });
  await t.throwsAsync(injected([good], { bundle: "-" }), { instanceOf: UsageError });
  await t.throwsAsync(injected([good], { tag: ":" }), { instanceOf: UsageError });
  const broken = file("broken.yaml", "a: [");
  await t.throwsAsync(injected([good, broken]), { message: /"[^"]*broken.yaml" line 1/ });
});

test("inject takes images from options only where no cluster says them", async (t) => {
  const { signal } = new AbortController();
  const words = { files: [file("tag.yaml", pod("tag"))] };
  const context = { signal, words, options: { tag: "v1" } } as unknown as CommandContext;
  await t.throwsAsync(injectManifests(context), {
    instanceOf: UsageError,
    message: "Cannot use --tag without --bundle",
  });
});
