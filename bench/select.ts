// What of all that is known was asked for on the command line. Pure.
import { MeshError } from "#/lib/errors.ts";

export class SelectError extends MeshError<"name_unknown"> {}

/**
 * The `known` names that were asked for, in their own order; all when none was. A name stands also for
 * its variants by rate ("x-paced" for "x-paced-3000"). Throws SelectError for a name that nobody has.
 */
export function selectNames(
  kind: "work" | "subject",
  asked: readonly string[],
  known: readonly string[],
): readonly string[] {
  for (const name of asked) {
    if (known.some((each) => isMeant(each, name))) continue;
    throw new SelectError("name_unknown", `Cannot measure "${name}": no ${kind} has this name`, {
      next: `Choose from ${known.join(", ")}`,
    });
  }
  return asked.length === 0
    ? known
    : known.filter((each) => asked.some((name) => isMeant(each, name)));
}

function isMeant(known: string, asked: string): boolean {
  return known === asked || known.replace(/-\d+$/, "") === asked;
}
