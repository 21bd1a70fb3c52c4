// Replacing the root, or the intermediate, while everything runs:
//
//   staged ----------> switched ----------> retired ---------> (none)
//     | the next root    | issuers hang       | the former root
//     | is trusted, too  | from the next      | and its key are gone
//     |                  |
//   abort: retired     abort: switched back, then retired
//
// Each arrow is one write of the whole record. What has to hold before it is `awaited`; whether it holds
// is not known here. Turning back is the same way with the two hierarchies in each other's place, for as
// long as the former one's keys are there. Pure.
import { CaError } from "../ca-error.ts";
import type { AuthorityRecord, Hierarchy, Rotation, RotationKind } from "./record.ts";

/**
 * What the step waits for. acknowledged: every live proxy and every controller works with the bundle as it
 * is now. leaves: every live certificate hangs from the intermediate in force. nothing: it may go on.
 */
export type Awaited = "acknowledged" | "leaves" | "nothing";

/** A new hierarchy; for a new intermediate the root is the present one. */
export interface Made extends Hierarchy {
  /** The new root, certified by the present one; null for a new intermediate. */
  readonly link: string | null;
}

/** Former roots that a pin still leads on from: two texts each. Older pods have to start anew. */
const linksMax = 2 * 8;

export function awaited({ of, step, isAborting }: Rotation): Awaited {
  if (step === "switched") return "leaves";
  // The bundle is the same all the time; and nobody has to give up a root that nobody hung from.
  if (of === "intermediate" || (step === "retired" && isAborting)) return "nothing";
  return "acknowledged";
}

/** The intermediate in force with the root above it. */
export function inForce(record: AuthorityRecord): Hierarchy {
  return {
    root: { certificate: record.roots[0] ?? "", key: record.rootKey },
    intermediate: { certificate: record.intermediate, key: record.intermediateKey },
  };
}

/** Begins one. Throws CaError `rotation_refused` while another is under way. */
export function stage(
  record: AuthorityRecord,
  of: RotationKind,
  { link, ...other }: Made,
  id: string,
  now: number,
): AuthorityRecord {
  if (record.rotation !== null) {
    throw refused(
      `a rotation of the ${record.rotation.of} is under way`,
      "Wait for it, or abort it",
    );
  }
  const isRoot = of === "root";
  const former = record.roots[0] ?? "";
  return {
    ...record,
    roots: isRoot ? [...record.roots, other.root.certificate] : record.roots,
    links:
      isRoot && link !== null ? [...record.links, former, link].slice(-linksMax) : record.links,
    rotation: { id, of, step: "staged", isAborting: false, startedAt: now, since: now, other },
  };
}

/** The step after the present one; what `awaited` names must hold. */
export function advance(record: AuthorityRecord, now: number): AuthorityRecord {
  const rotation = underWay(record);
  switch (rotation.step) {
    case "staged":
      return swapped(record, { ...rotation, step: "switched", since: now });
    case "switched":
      return retired(record, rotation, now);
    case "retired":
      return finished(record, rotation, now);
    default:
      return rotation.step satisfies never;
  }
}

/** Turns back. Throws CaError `rotation_refused` when that cannot be any more. */
export function abort(record: AuthorityRecord, now: number): AuthorityRecord {
  const rotation = underWay(record);
  if (rotation.isAborting) throw refused("it is being aborted already", "Wait for it");
  switch (rotation.step) {
    case "staged":
      return retired(record, { ...rotation, isAborting: true }, now);
    case "switched":
      return swapped(record, { ...rotation, isAborting: true, since: now });
    case "retired":
      throw refused(
        `the former ${rotation.of}'s key is destroyed`,
        `Rotate the ${rotation.of} once more, for another new one`,
      );
    default:
      return rotation.step satisfies never;
  }
}

/** The two hierarchies change places; both roots stay trusted, the one in force first. */
function swapped(record: AuthorityRecord, rotation: Rotation): AuthorityRecord {
  const { root, intermediate } = rotation.other;
  const before = inForce(record);
  const others = record.roots.filter((each) => each !== root.certificate);
  return {
    ...record,
    roots: [root.certificate, ...others],
    rootKey: root.key,
    intermediate: intermediate.certificate,
    intermediateKey: intermediate.key ?? "",
    rotation: { ...rotation, other: before },
  };
}

function retired(record: AuthorityRecord, rotation: Rotation, now: number): AuthorityRecord {
  const { of, other, isAborting } = rotation;
  const { root, intermediate } = other;
  const isRoot = of === "root";
  return {
    ...record,
    roots: isRoot ? record.roots.filter((each) => each !== root.certificate) : record.roots,
    // A link to a root that never came into force leads nowhere.
    links: isRoot && isAborting ? record.links.slice(0, -2) : record.links,
    rotation: {
      ...rotation,
      step: "retired",
      since: now,
      other: { root: { ...root, key: null }, intermediate: { ...intermediate, key: null } },
    },
  };
}

function finished(record: AuthorityRecord, rotation: Rotation, now: number): AuthorityRecord {
  const { id, of, startedAt, isAborting } = rotation;
  const end = isAborting ? "aborted" : "rotated";
  return { ...record, rotation: null, last: { id, of, end, startedAt, finishedAt: now } };
}

function underWay({ rotation }: AuthorityRecord): Rotation {
  if (rotation !== null) return rotation;
  throw refused("none is under way", "See: signet ca rotate --status");
}

function refused(state: string, next: string): CaError {
  return new CaError("rotation_refused", `Cannot rotate: ${state}`, { next });
}
