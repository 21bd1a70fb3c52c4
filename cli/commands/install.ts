// `signet install`: the mesh's manifests on standard output, for kubectl. Asks no cluster, changes none.
import { isDeepStrictEqual } from "node:util";
import { writeYaml } from "#/lib/yaml.ts";
import { EXIT_OK } from "../exit-codes.ts";
import { readBase } from "../install/base.ts";
import { readInstallOptions } from "../install/options.ts";
import { addedObjects, renderObject } from "../install/render.ts";
import type { CommandContext } from "./context.ts";

export async function printInstall(context: CommandContext): Promise<number> {
  const { print, repository } = context;
  const options = readInstallOptions(context.options);
  const rendered = readBase(repository).map(({ object: base, document }) => {
    const object = renderObject(base, options);
    return {
      object,
      text: isDeepStrictEqual(object, base) ? document.source : document.withValue(object),
    };
  });
  const added = addedObjects(options);
  if (print.format === "json") {
    const items = [...rendered.map(({ object }) => object), ...added];
    print.json({ apiVersion: "v1", kind: "List", items });
  } else {
    const texts = [...rendered.map(({ text }) => bare(text)), ...added.map(writeYaml)];
    print.raw(texts.join("---\n"));
  }
  if (options.storage.kind === "none") {
    print.note(
      "signet: without storage each controller's ledger, the record of what was issued to whom, " +
        "is lost with its pod",
    );
  }
  if (print.isTty)
    print.note("signet: nothing is installed yet: signet install | kubectl apply -f -");
  return EXIT_OK;
}

/** Without the mark that it may begin with: one is put between all of them. */
function bare(text: string): string {
  return text.replace(/^---\n/, "");
}
