// Tells the writer of a PeerAuthentication, on the object itself, whether it is in force: condition
// Accepted, with what is wrong when it is not, and with what holds in its place.
import { DecodeError } from "../decode-error.ts";
import { decodeObject } from "../decode.ts";
import type { Verdict } from "./condition.ts";
import { conditionOf, generationOf, isTold } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusKeeper, StatusParts, StatusPatch } from "./status-keeper.ts";
import { keepStatus } from "./status-keeper.ts";
import { fieldManager } from "./writer.ts";

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

/** What is remembered of a policy. */
export interface KeptPolicy {
  /** What is wrong with it, or null. */
  readonly fault: string | null;
  readonly generation: number;
  /** As they stand there. */
  readonly conditions: unknown;
}

const apiVersion = "signet.dev/v1alpha1";
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

export function keepPolicy(object: RawObject): KeptPolicy {
  const { conditions } = (object["status"] ?? {}) as { readonly conditions?: unknown };
  return { fault: faultOf(object), generation: generationOf(object.metadata), conditions };
}

/** What is to be said of it; null when it stands there already. Pure. */
export function duePatch(
  key: string,
  { fault, generation, conditions: told }: KeptPolicy,
  view: PolicyView,
  now: number,
): StatusPatch | null {
  const verdict = verdictOf(key, fault, view);
  const condition = conditionOf("Accepted", verdict, { generation, told, now });
  if (isTold(condition, told)) return null;
  const [namespace = "", name = ""] = key.split("/");
  return {
    query: { fieldManager, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion, kind, metadata: { namespace, name }, status: { conditions: [condition] } },
  };
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

function faultOf(object: RawObject): string | null {
  try {
    decodeObject({ ...object, apiVersion, kind });
    return null;
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    return thrown.message;
  }
}
