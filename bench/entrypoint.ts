// What an image runs, as its Dockerfile says. Pure.
import { MeshError } from "#/lib/errors.ts";

class EntrypointError extends MeshError<"target_unknown"> {}

/** Arguments of node for a target of the Dockerfile. Throws EntrypointError. */
export function readEntrypoint(dockerfile: string, target: string): readonly string[] {
  const stages = dockerfile.split(/^FROM /m);
  const stage = stages.find((each) => each.split("\n")[0]?.endsWith(` AS ${target}`));
  const text = /^ENTRYPOINT (\[.*\])$/m.exec(stage ?? "")?.[1];
  if (text === undefined) {
    throw new EntrypointError("target_unknown", `Cannot run "${target}": no such target`, {
      next: "Name a target of the Dockerfile that has an ENTRYPOINT",
    });
  }
  const [, ...parameters] = JSON.parse(text) as readonly string[];
  return parameters;
}
