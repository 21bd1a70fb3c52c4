// Images without a registry: a name stands for a command of this checkout, run by the pinned Node.
import { LocalError } from "../objects.ts";

const quiet = "--disable-warning=ExperimentalWarning";
/** For what holds keys: no inspector by signal, no code made from strings. */
const hardening = ["--disable-sigusr1", "--disallow-code-generation-from-strings"];
/** And no child processes, addons or written files, but what is named. */
const confined = [...hardening, "--permission", "--allow-net", "--allow-fs-read=*"];
/** Foreign functions: the controller gives them up once its memory is private. Node warns of them. */
const foreign = ["--allow-ffi", "--disable-warning=PERM0003"];
const proxy = [
  // The kernel is asked for each original destination by one.
  ...foreign,
  "--max-semi-space-size=4",
  // Without it V8 collects everything for every 64 MB of read buffers, although nearly all of them are garbage
  // that a small collection finds: half the CPU of large transfers.
  "--external-memory-accounted-in-global-limit",
  // For `signet.dev/workers` above 1; given up at once otherwise. Node warns of threads.
  "--allow-worker",
  "--disable-warning=PERM0006",
  // The folder of the Workload API's socket: what a killed sidecar left there has to be taken away.
  "--allow-fs-write=/run/spiffe",
];
const controller = [
  ...foreign,
  // The ledger, in its thread, and the admin socket.
  "--allow-worker",
  "--disable-warning=PERM0006",
  "--allow-fs-write=/run/signet",
];

const commands: Readonly<Record<string, readonly string[]>> = {
  "signet/controller": [quiet, ...confined, ...controller, "controller/main.ts"],
  "signet/proxy": [quiet, ...confined, ...proxy, "proxy/main.ts"],
  "signet/proxy-init": [quiet, ...hardening, "proxy-init/main.ts"],
  "signet/app-a": [quiet, "apps/app-a/main.ts"],
  "signet/app-b": [quiet, "apps/app-b/main.ts"],
  "signet/client": [quiet, "apps/client/main.ts"],
  "signet/tour": [quiet, "apps/client/main.ts"],
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
