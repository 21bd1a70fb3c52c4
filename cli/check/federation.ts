// Whose word the mesh takes, and how long it still can: a foreign bundle that is not had, or about to end.
import { assertNever } from "#/lib/assert.ts";
import { messageOf } from "#/lib/errors.ts";
import { bundleState, lastEnd, readFederations } from "../federation/federation.ts";
import type { Federation } from "../federation/federation.ts";
import type { Mesh } from "../mesh.ts";
import { formatDuration } from "../text.ts";
import { failed, passed, told } from "./findings.ts";
import type { Finding } from "./findings.ts";

/** The other side replaces its roots in time, or nobody of it is believed any more. */
const soonMs = 14 * 86_400_000;

export async function checkFederation(mesh: Mesh, now: number): Promise<readonly Finding[]> {
  try {
    const federations = readFederations(await mesh.inspect("/v1/federation"));
    return [...federations.values()].flat().map((each) => federationFinding(each, now));
  } catch (thrown) {
    const next = "Use the same version of command line and mesh: signet version";
    return [told("mesh", `nothing is known of federation: ${messageOf(thrown)}`, next)];
  }
}

/** Pure. */
export function federationFinding(each: Federation, now: number): Finding {
  const { trustDomain, pod, fault, fetchedAt } = each;
  const name = `trust domain ${trustDomain} at ${pod}`;
  const next = `See: signet federation show ${trustDomain}`;
  const why = fault === null ? "" : `: ${fault.message}`;
  const end = lastEnd(each);
  if (end !== null && end <= now) return failed("mesh", `${name}: its last root has expired`, next);
  if (end !== null && end - now < soonMs) {
    const what = `${name}: its last root ends in ${formatDuration(end - now)}`;
    return failed("mesh", what, `Ask whoever runs ${trustDomain} to replace it, then: ${next}`);
  }
  const state = bundleState(each);
  switch (state) {
    case "missing":
      return failed("mesh", `${name} has no bundle, so nobody of it is believed${why}`, next);
    case "stale":
      return failed(
        "mesh",
        `${name}: its bundle cannot be fetched, an older one holds${why}`,
        next,
      );
    case "first bundle":
      return told("mesh", `${name}: its bundle was not fetched yet`, next);
    case "fetched": {
      const ago = formatDuration(now - Date.parse(fetchedAt ?? ""));
      return passed("mesh", `${name} is federated, its bundle fetched ${ago} ago`);
    }
    default:
      return assertNever(state);
  }
}
