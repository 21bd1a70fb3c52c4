// Condition Accepted on an object of ours: what is remembered of the object, and the write that says so. What
// is to be said is each kind's own.
import { DecodeError } from "../decode-error.ts";
import { decodeObject } from "../decode.ts";
import type { Verdict } from "./condition.ts";
import { conditionOf, generationOf, isTold } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusPatch } from "./status-keeper.ts";
import { fieldManager } from "./writer.ts";

/** Of every kind of ours. */
export const apiVersion = "signet.dev/v1alpha1";

/** What is remembered of an object. */
export interface Kept {
  /** Why it cannot be read, or null. */
  readonly fault: string | null;
  readonly generation: number;
  /** As they stand there. */
  readonly conditions: unknown;
}

export function keepObject(object: RawObject, kind: string): Kept {
  const { conditions } = (object["status"] ?? {}) as { readonly conditions?: unknown };
  return { fault: faultOf(object, kind), generation: generationOf(object.metadata), conditions };
}

export interface Acceptance {
  readonly kind: string;
  /** Where the object is: its name, and its namespace if it has one. */
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly verdict: Verdict;
  /** What else is to be said, by type. What was said before and is not among these is taken back. */
  readonly others?: Readonly<Record<string, Verdict>>;
}

/** The write of the verdict; null when it stands there already. Pure. */
export function acceptedPatch(
  { kind, metadata, verdict, others = {} }: Acceptance,
  { generation, conditions: told }: Kept,
  now: number,
): StatusPatch | null {
  const conditions = Object.entries({ Accepted: verdict, ...others }).map(([type, each]) => {
    return conditionOf(type, each, { generation, told, now });
  });
  if (conditions.every((condition) => isTold(condition, told))) return null;
  return {
    query: { fieldManager, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion, kind, metadata, status: { conditions } },
  };
}

function faultOf(object: RawObject, kind: string): string | null {
  try {
    decodeObject({ ...object, apiVersion, kind });
    return null;
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    return thrown.message;
  }
}
