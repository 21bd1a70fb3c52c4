// Tells whoever wrote a FederatedTrustDomain, on the object itself, whether it is in force (condition Accepted)
// and whether its bundle was fetched the last time (BundleFetched), with what is wrong when not.
import { acceptedPatch, apiVersion, keepObject } from "./accepted.ts";
import type { Kept } from "./accepted.ts";
import type { Verdict } from "./condition.ts";
import type { RawObject } from "./reflection.ts";
import type { StatusKeeper, StatusParts, StatusPatch } from "./status-keeper.ts";
import { keepStatus } from "./status-keeper.ts";

/** How it stands with a bundle. */
export interface BundleState {
  /** What was wrong the last time: one word, CamelCase, and a sentence; null: nothing. */
  readonly fault: { readonly reason: string; readonly message: string } | null;
  /** Whether there is one, of now or of before. */
  readonly isHeld: boolean;
}

/** What is made of the federations, by name. */
export interface FederationStatusView {
  /** Whether a version of it is in force. */
  readonly isInForce: (name: string) => boolean;
  /** What is wrong with what it says; null when nothing is, or it is not known yet. */
  readonly faultOf: (name: string) => string | null;
  /** null: nothing was fetched or tried yet. */
  readonly bundleOf: (name: string) => BundleState | null;
}

export interface FederationStatusOptions extends StatusParts {
  readonly view: FederationStatusView;
}

const kind = "FederatedTrustDomain";

/** Writes until disposed of. */
export function writeFederationStatus(options: FederationStatusOptions): StatusKeeper {
  return keepStatus({
    ...options,
    groupVersion: apiVersion,
    resource: "federatedtrustdomains",
    keep: keepFederation,
    due: (name, kept, now) => dueFederationPatch(name, kept, options.view, now),
  });
}

export function keepFederation(object: RawObject): Kept {
  return keepObject(object, kind);
}

/** What is to be said of it; null when it stands there already, or nothing is known yet. Pure. */
export function dueFederationPatch(
  name: string,
  kept: Kept,
  view: FederationStatusView,
  now: number,
): StatusPatch | null {
  const verdict = verdictOf(name, kept.fault ?? view.faultOf(name), view);
  if (verdict === null) return null;
  const bundle = view.isInForce(name) ? view.bundleOf(name) : null;
  const others = bundle === null ? {} : { BundleFetched: bundleVerdict(bundle) };
  return acceptedPatch({ kind, metadata: { name }, verdict, others }, kept, now);
}

function verdictOf(name: string, fault: string | null, view: FederationStatusView): Verdict | null {
  const isInForce = view.isInForce(name);
  if (fault === null) {
    return isInForce ? { status: "True", reason: "Accepted", message: "In force" } : null;
  }
  const instead = isInForce
    ? "the last version that could be read stays in force"
    : "until then it federates with nobody";
  const message = `${fault}. Correct it; ${instead}`;
  return { status: "False", reason: "Invalid", message };
}

function bundleVerdict({ fault, isHeld }: BundleState): Verdict {
  if (fault === null) return { status: "True", reason: "Fetched", message: "The bundle is had" };
  const instead = isHeld ? "the last good one holds" : "nobody of that trust domain is believed";
  return { status: "False", reason: fault.reason, message: `${fault.message}; ${instead}` };
}
