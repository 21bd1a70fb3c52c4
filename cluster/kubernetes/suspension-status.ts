// Tells whoever wrote an IdentitySuspension, on the object itself, whether it is in force: condition
// Accepted, with what is wrong when it is not.
import { acceptedPatch, apiVersion, keepObject } from "./accepted.ts";
import type { Kept } from "./accepted.ts";
import type { Verdict } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusKeeper, StatusParts, StatusPatch } from "./status-keeper.ts";
import { keepStatus } from "./status-keeper.ts";

/** What is made of the suspensions, by name. */
export interface SuspensionView {
  /** Whether a version of it is in force. */
  readonly isInForce: (name: string) => boolean;
  /** What is wrong with what it names; null when nothing is, or it is not known yet. */
  readonly faultOf: (name: string) => string | null;
}

export interface SuspensionStatusOptions extends StatusParts {
  readonly view: SuspensionView;
}

const kind = "IdentitySuspension";

/** Writes until disposed of. */
export function writeSuspensionStatus(options: SuspensionStatusOptions): StatusKeeper {
  return keepStatus({
    ...options,
    groupVersion: apiVersion,
    resource: "identitysuspensions",
    keep: keepSuspension,
    due: (name, kept, now) => dueSuspensionPatch(name, kept, options.view, now),
  });
}

export function keepSuspension(object: RawObject): Kept {
  return keepObject(object, kind);
}

/** What is to be said of it; null when it stands there already, or nothing is known yet. Pure. */
export function dueSuspensionPatch(
  name: string,
  kept: Kept,
  view: SuspensionView,
  now: number,
): StatusPatch | null {
  const verdict = verdictOf(name, kept.fault ?? view.faultOf(name), view);
  return verdict === null ? null : acceptedPatch({ kind, metadata: { name }, verdict }, kept, now);
}

function verdictOf(name: string, fault: string | null, view: SuspensionView): Verdict | null {
  const isInForce = view.isInForce(name);
  if (fault === null) {
    return isInForce ? { status: "True", reason: "Accepted", message: "In force" } : null;
  }
  const instead = isInForce
    ? "the last version that could be read stays in force"
    : "until then it suspends nobody";
  const message = `${fault}. Correct it, or delete it and create another one; ${instead}`;
  return { status: "False", reason: "Invalid", message };
}
