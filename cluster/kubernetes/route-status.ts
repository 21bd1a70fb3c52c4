// Tells the writer of an HTTPRoute, in the route's own status, what the mesh makes of it: an entry of ours
// for each Service that it names as parent, with the conditions Accepted and ResolvedRefs. What other
// controllers say of the same route stays as it is: the list is one field (atomic), so it is read, changed and
// written back under the version that was read.
import { DecodeError } from "../decode-error.ts";
import { isServiceParent } from "../decode-route.ts";
import { decodeObject } from "../decode.ts";
import type { HttpRouteRecord } from "../events.ts";
import type { Condition, Verdict } from "./condition.ts";
import { conditionOf, generationOf, isTold } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusKeeper, StatusParts, StatusPatch } from "./status-keeper.ts";
import { keepStatus } from "./status-keeper.ts";
import { fieldManager } from "./writer.ts";

/** What is made of the routes. */
export interface RouteView {
  /** `accepted` has one verdict for each parent of the route. */
  readonly judge: (route: HttpRouteRecord) => {
    readonly accepted: readonly Verdict[];
    readonly resolvedRefs: Verdict;
  };
  /** By key: whether a version of it is in force. */
  readonly has: (key: string) => boolean;
}

export interface RouteStatusOptions extends StatusParts {
  readonly view: RouteView;
}

type Fields = Readonly<Record<string, unknown>>;

/** What is remembered of a route. */
export interface KeptRoute {
  /** What is wrong with it, when it cannot be read. */
  readonly read: HttpRouteRecord | { readonly fault: string };
  /** Its references to Services, as they are written. */
  readonly parents: readonly Fields[];
  readonly generation: number;
  readonly version: string;
  /** `status.parents` as they stand there. */
  readonly told: readonly Fields[];
}

export const controllerName = "signet.dev/controller";
const apiVersion = "gateway.networking.k8s.io/v1";
const kind = "HTTPRoute";
/** The API's own limit. */
const entriesMax = 32;

/** Writes until disposed of. */
export function writeRouteStatus(options: RouteStatusOptions): StatusKeeper {
  return keepStatus({
    ...options,
    groupVersion: apiVersion,
    resource: "httproutes",
    keep: keepRoute,
    due: (key, kept, now) => duePatch(key, kept, options.view, now),
  });
}

export function keepRoute(object: RawObject): KeptRoute {
  const { metadata } = object;
  return {
    read: read(object),
    parents: recordsOf(record(object["spec"])["parentRefs"]).filter(isServiceParent),
    generation: generationOf(metadata),
    version: metadata.resourceVersion ?? "",
    told: recordsOf(record(object["status"])["parents"]),
  };
}

/** What is to be written; null when it stands there already. Pure. */
export function duePatch(
  key: string,
  kept: KeptRoute,
  view: RouteView,
  now: number,
): StatusPatch | null {
  const { read, parents, generation, version, told } = kept;
  const others = told.filter((entry) => entry["controllerName"] !== controllerName);
  const before = told.filter((entry) => entry["controllerName"] === controllerName);
  const verdicts = "fault" in read ? unreadable(read.fault, view.has(key)) : view.judge(read);
  const { resolvedRefs } = verdicts;
  let isWritten = before.length === parents.length;
  const own = parents.map((parentRef, index) => {
    const name = canonical(parentRef);
    const last = before.find((entry) => canonical(entry["parentRef"]) === name)?.["conditions"];
    const at = { generation, told: last, now };
    const accepted = verdicts.accepted[index] ?? verdicts.accepted[0] ?? resolvedRefs;
    const conditions: readonly Condition[] = [
      conditionOf("Accepted", accepted, at),
      conditionOf("ResolvedRefs", resolvedRefs, at),
    ];
    isWritten &&= conditions.every((condition) => isTold(condition, last));
    return { parentRef, controllerName, conditions };
  });
  if (isWritten) return null;
  return {
    query: { fieldManager },
    contentType: "application/merge-patch+json",
    body: {
      metadata: { resourceVersion: version },
      status: { parents: [...others, ...own].slice(0, entriesMax) },
    },
  };
}

function unreadable(fault: string, hasLastGood: boolean) {
  const instead = hasLastGood
    ? "the last version that could be read stays in force"
    : "nothing of the route is in force";
  const accepted: Verdict = {
    status: "False",
    reason: "UnsupportedValue",
    message: `${fault}. Correct the named field; ${instead}`,
  };
  const message = "Not looked at: the route cannot be read";
  const resolvedRefs: Verdict = { status: "Unknown", reason: "Pending", message };
  return { accepted: [accepted], resolvedRefs };
}

function read(object: RawObject): KeptRoute["read"] {
  try {
    return decodeObject({ ...object, apiVersion, kind }) as HttpRouteRecord;
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    return { fault: thrown.message };
  }
}

/** The same for references with the same fields, in whatever order. */
function canonical(reference: unknown): string {
  const fields = Object.entries(record(reference)).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(fields);
}

function recordsOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function record(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
