// What the one controller that drives a rotation does next, given what is stored, what was asked for and
// who lags. Pure: the same facts give the same plan, so a driver that is killed and one that takes its
// place go on alike.
import { CaError } from "#/ca/ca-error.ts";
import type { AuthorityRecord, Rotation, RotationKind } from "#/ca/rotation/record.ts";
import { abort, advance } from "#/ca/rotation/rotation.ts";
import { assertNever } from "#/lib/assert.ts";
import type { Laggard } from "./laggards.ts";

/** A person's wish; who may write it is for the place where it stands to say. */
export interface RotationRequest {
  /** Tells it from every other; it is taken up once. */
  readonly id: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** request: make a key that the holder of the root's key is to certify; install: here is its certificate. */
  readonly action: "rotate" | "abort" | "request" | "install";
  readonly of: RotationKind;
  /** PEM, of install alone. */
  readonly certificate?: string;
}

export interface Refusal {
  /** Of the request. */
  readonly id: string;
  readonly message: string;
  readonly next: string;
}

export type Plan =
  | { readonly kind: "rest" }
  | { readonly kind: "hold"; readonly waiting: readonly Laggard[] }
  /** Make the next hierarchy and stage it. `handled`: the request that asked for it, or an earlier one. */
  | {
      readonly kind: "begin";
      readonly of: RotationKind;
      readonly id: string;
      readonly handled: string;
    }
  | { readonly kind: "write"; readonly record: AuthorityRecord }
  | { readonly kind: "request"; readonly handled: string }
  | { readonly kind: "install"; readonly certificate: string; readonly id: string };

export interface Decision {
  readonly plan: Plan;
  readonly refusal: Refusal | null;
}

export interface Facts {
  readonly record: AuthorityRecord;
  readonly request: RotationRequest | null;
  /** Of the intermediate in force. */
  readonly intermediate: { readonly notBefore: number; readonly notAfter: number };
  /** Asked only while a rotation is under way. */
  readonly waiting: () => readonly Laggard[];
  /** How long a root is published before anybody issues under it; 0: nobody outside of the mesh follows it. */
  readonly publishMs: number;
  readonly now: number;
}

/** What was asked for so long ago, while nobody drove, is not begun behind anybody's back. */
export const requestAgeMsMax = 600_000;
/** An intermediate is replaced when so much of its life is left: of a year, four months. */
const renewalShare = 1 / 3;

export function decide(facts: Facts): Decision {
  const { record, request, now } = facts;
  if (request === null || request.id === record.handled)
    return { plan: onward(facts), refusal: null };
  const refuse = (message: string, next: string): Decision => ({
    plan: onward(facts),
    refusal: { id: request.id, message, next },
  });
  if (Math.abs(now - request.at) > requestAgeMsMax) {
    return refuse("Cannot take up a request that is more than ten minutes old", "Ask again");
  }
  const handled = request.id;
  switch (request.action) {
    case "abort":
      if (record.rotation !== null && record.rotation.of !== request.of) {
        const state = `it is the ${record.rotation.of} that is being rotated`;
        return refuse(`Cannot abort: ${state}`, "See: signet ca rotate --status");
      }
      try {
        return {
          plan: { kind: "write", record: { ...abort(record, now), handled } },
          refusal: null,
        };
      } catch (thrown) {
        if (!(thrown instanceof CaError)) throw thrown;
        return refuse(thrown.message, thrown.next);
      }
    case "rotate": {
      if (record.rotation !== null) {
        const state = `Cannot rotate: a rotation of the ${record.rotation.of} is under way`;
        return refuse(state, "Wait for it, or: signet ca rotate --abort");
      }
      if (record.rootKey === null) {
        const state = "Cannot rotate: the root's key is kept elsewhere";
        return refuse(state, "For an intermediate: signet ca request; SECURITY.md says how");
      }
      return { plan: { kind: "begin", of: request.of, id: handled, handled }, refusal: null };
    }
    case "request":
      if (record.rootKey !== null) {
        const state = "Cannot make a request: the root's key is at hand";
        return refuse(state, "signet ca rotate intermediate");
      }
      return { plan: { kind: "request", handled }, refusal: null };
    case "install": {
      if (record.rotation !== null) {
        const state = `Cannot install: a rotation of the ${record.rotation.of} is under way`;
        return refuse(state, "Wait for it, or: signet ca rotate --abort");
      }
      if (record.pending === null) {
        return refuse("Cannot install: no request is pending", "signet ca request");
      }
      const { certificate = "" } = request;
      return { plan: { kind: "install", certificate, id: handled }, refusal: null };
    }
    default:
      return assertNever(request.action);
  }
}

function onward({ record, intermediate, waiting, publishMs, now }: Facts): Plan {
  if (record.rotation === null) {
    const { notBefore, notAfter } = intermediate;
    const isDue = notAfter - now < (notAfter - notBefore) * renewalShare;
    if (!isDue || record.rootKey === null) return { kind: "rest" };
    return { kind: "begin", of: "intermediate", id: `renewal-${now}`, handled: record.handled };
  }
  const lagging = [...waiting(), ...followers(record.rotation, publishMs, now)];
  if (lagging.length > 0) return { kind: "hold", waiting: lagging };
  return { kind: "write", record: advance(record, now) };
}

/**
 * Meshes that are federated with this one acknowledge nothing: they are given the time in which they ask again,
 * twice, or they would refuse what is issued under a root that they have not heard of.
 */
function followers(rotation: Rotation, publishMs: number, now: number): readonly Laggard[] {
  const { of, step, since } = rotation;
  const isBefore = of === "root" && step === "staged" && now < since + publishMs;
  if (!isBefore) return [];
  const reason = "bundle_not_fetched";
  return [{ kind: "world", name: "federated meshes", reason, since, bundle: null }];
}

const actions: ReadonlySet<string> = new Set(["rotate", "abort", "request", "install"]);

/** null for what is no request of ours. */
export function parseRequest(text: string): RotationRequest | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { id, at, action, of, certificate } = (value ?? {}) as Partial<RotationRequest>;
  const isRequest =
    typeof id === "string" &&
    /^[\w-]{1,64}$/.test(id) &&
    typeof at === "number" &&
    actions.has(action ?? "") &&
    (of === "root" || of === "intermediate") &&
    (certificate === undefined || typeof certificate === "string");
  return isRequest ? (value as RotationRequest) : null;
}
