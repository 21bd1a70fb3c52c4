// `signet inject`: manifests in, the same manifests with their sidecars out. Changes no cluster; asks one
// for what its mesh injects, unless the roots are given.
import { readFile } from "node:fs/promises";
import { messageOf } from "#/lib/errors.ts";
import { readText } from "#/lib/read-text.ts";
import { UsageError } from "../args.ts";
import { openCluster } from "../cluster-access.ts";
import { clusterFault } from "../cluster-fault.ts";
import { EXIT_OK } from "../exit-codes.ts";
import { InjectError, injectText } from "../inject/manifests.ts";
import { settingsOfCluster, settingsOfFile } from "../inject/settings.ts";
import type { InjectorConfig } from "#/injector/config.ts";
import { checkTrustDomain, readImageOptions } from "../install/options.ts";
import type { CommandContext } from "./context.ts";
import { option } from "./context.ts";

const inputBytesMax = 16_777_216;

export async function injectManifests(context: CommandContext): Promise<number> {
  const { print } = context;
  const bundleFile = option(context, "bundle");
  const inputs = await readInputs(context.words["files"] ?? [], bundleFile, context);
  const config = await settingsOf(context, bundleFile);
  const manifests = inputs.map(({ name, text }) => injectText(text, name, config));
  for (const note of manifests.flatMap(({ notes }) => notes)) print.note(`signet: ${note}`);
  if (print.format === "json") {
    const items = manifests.flatMap(({ objects }) => objects);
    print.json({ apiVersion: "v1", kind: "List", items });
  } else print.raw(joined(manifests.map(({ text }) => text)));
  return EXIT_OK;
}

async function settingsOf(
  context: CommandContext,
  bundleFile: string | null,
): Promise<InjectorConfig> {
  const images = readImageOptions(context.options);
  const trustDomain = option(context, "trust-domain");
  if (trustDomain !== null) checkTrustDomain(trustDomain);
  if (bundleFile !== null) {
    return settingsOfFile(bundleFile, images, trustDomain);
  }
  const given = ["registry", "tag", "trust-domain"].find((name) => context.options[name]);
  if (given !== undefined) {
    throw new UsageError("usage", `Cannot use --${given} without --bundle`, {
      next: "Leave it out: images and settings are those of the mesh on the cluster",
    });
  }
  try {
    const { client } = await openCluster(context);
    return await settingsOfCluster(client, context.signal);
  } catch (thrown) {
    throw context.signal.aborted ? context.signal.reason : clusterFault(thrown);
  }
}

interface Input {
  readonly name: string;
  readonly text: string;
}

async function readInputs(
  files: readonly string[],
  bundleFile: string | null,
  { signal }: CommandContext,
): Promise<readonly Input[]> {
  const names = files.length === 0 ? ["-"] : files;
  if (names.includes("-") && process.stdin.isTTY) {
    throw new UsageError("usage", "Cannot inject: no manifest is given", {
      next: "Name a file, or pipe one: kubectl get deployment NAME -o yaml | signet inject",
    });
  }
  if (bundleFile === "-") {
    throw new UsageError("usage", "Cannot read the bundle from standard input", {
      next: "Name a file: --bundle FILE",
    });
  }
  const inputs: Input[] = [];
  for (const name of names) {
    signal.throwIfAborted();
    inputs.push({ name, text: name === "-" ? await readStandardInput(signal) : await read(name) });
  }
  return inputs;
}

async function read(file: string): Promise<string> {
  try {
    const text = await readFile(file, "utf8");
    if (Buffer.byteLength(text) <= inputBytesMax) return text;
  } catch (cause) {
    throw new InjectError("manifest_invalid", `Cannot read "${file}": ${messageOf(cause)}`, {
      next: "Name a file of manifests, or - for standard input",
      cause,
    });
  }
  throw tooLong(file);
}

async function readStandardInput(signal: AbortSignal): Promise<string> {
  const stop = (): void => void process.stdin.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const text = await readText(process.stdin, inputBytesMax);
    if (text === null) throw tooLong("-");
    return text;
  } catch (thrown) {
    throw signal.aborted ? signal.reason : thrown;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function tooLong(name: string): InjectError {
  return new InjectError(
    "manifest_invalid",
    `Cannot read "${name}": more than ${inputBytesMax} bytes`,
    { next: "Inject it in parts" },
  );
}

/** Several texts as one: each ends its last line, and a mark is between them where none is. */
function joined(texts: readonly string[]): string {
  return texts
    .filter((text) => text !== "")
    .map((text) => (text.endsWith("\n") ? text : `${text}\n`))
    .map((text, index) => (index === 0 || text.startsWith("---") ? text : `---\n${text}`))
    .join("");
}
