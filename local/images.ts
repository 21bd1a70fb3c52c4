// Images without a registry: a name stands for a command of this checkout, run by the pinned Node.
import { LocalError } from "./objects.ts";

/** Flags that hold for every mesh process: no inspector by signal, no code made from strings. */
const hardening = ["--disable-sigusr1", "--disallow-code-generation-from-strings"];
const quiet = "--disable-warning=ExperimentalWarning";
const memory = ["--max-semi-space-size=4"];

const commands: Readonly<Record<string, readonly string[]>> = {
  "signet/controller": [quiet, ...hardening, "controller/main.ts"],
  "signet/proxy": [quiet, ...hardening, ...memory, "proxy/main.ts"],
  "signet/proxy-init": [quiet, ...hardening, "proxy-init/main.ts"],
  "signet/app-a": [quiet, "apps/app-a/main.ts"],
  "signet/app-b": [quiet, "apps/app-b/main.ts"],
  "signet/client": [quiet, "apps/client/main.ts"],
};

/** Arguments of node for an image (a tag is ignored); throws LocalError for one that is not known. */
export function commandOfImage(image: string): readonly string[] {
  const name = image.replace(/:[^/]*$/, "");
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command !== undefined) return command;
  throw new LocalError("not_possible_here", `Cannot run image "${image}": no registry here`, {
    next: `Known without a cluster: ${Object.keys(commands).join(", ")}`,
  });
}
