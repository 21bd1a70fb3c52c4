// Tells the writer of a PeerAuthentication, on the object itself, whether it is in force: condition
// Accepted, with what is wrong when it is not, and with what holds in its place.
import { acceptedPatch, apiVersion, keepObject } from "./accepted.ts";
import type { Kept } from "./accepted.ts";
import type { Verdict } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusKeeper, StatusParts, StatusPatch } from "./status-keeper.ts";
import { keepStatus } from "./status-keeper.ts";

/** What is made of the policies, by key. */
export interface PolicyView {
  /** Whether a version of it is in force. */
  readonly has: (key: string) => boolean;
  /** The policy that speaks for the very same pods and holds in its place; null: none does. */
  readonly rivalOf: (key: string) => string | null;
  /** Which pods are held to STRICT while no version of it can be read, as people say it. */
  readonly heldPods: (key: string) => string;
}

export interface PolicyStatusOptions extends StatusParts {
  readonly view: PolicyView;
}

const kind = "PeerAuthentication";

/** Writes until disposed of. */
export function writePolicyStatus(options: PolicyStatusOptions): StatusKeeper {
  return keepStatus({
    ...options,
    groupVersion: apiVersion,
    resource: "peerauthentications",
    keep: keepPolicy,
    due: (key, kept, now) => duePatch(key, kept, options.view, now),
  });
}

export function keepPolicy(object: RawObject): Kept {
  return keepObject(object, kind);
}

/** What is to be said of it; null when it stands there already. Pure. */
export function duePatch(
  key: string,
  kept: Kept,
  view: PolicyView,
  now: number,
): StatusPatch | null {
  const [namespace = "", name = ""] = key.split("/");
  const verdict = verdictOf(key, kept.fault, view);
  return acceptedPatch({ kind, metadata: { namespace, name }, verdict }, kept, now);
}

function verdictOf(key: string, fault: string | null, view: PolicyView): Verdict {
  if (fault !== null) {
    const instead = view.has(key)
      ? "the last version that could be read stays in force"
      : `until it can be read, ${view.heldPods(key)} are held to STRICT`;
    const message = `${fault}. Correct the named field; ${instead}`;
    return { status: "False", reason: "Invalid", message };
  }
  const rival = view.rivalOf(key);
  if (rival === null) return { status: "True", reason: "Accepted", message: "In force" };
  const message = `Not in force: ${kind} "${rival}" speaks for the same pods and came first. Delete one of the two`;
  return { status: "False", reason: "Conflicted", message };
}
