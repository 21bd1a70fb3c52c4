// How long what every certificate hangs from still lives. Where the root's key is at hand intermediates renew
// themselves; everything else is a person's to replace, in time.
import { expiryOf } from "#/identity/expiry.ts";
import type { Expiry } from "#/identity/expiry.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Mesh } from "../mesh.ts";
import { readAuthorityState } from "../rotation.ts";
import type { AuthorityLife, AuthorityState } from "../rotation.ts";
import { short, waitingText } from "../rotation-text.ts";
import { formatDuration } from "../text.ts";
import { failed, passed, told } from "./findings.ts";
import type { Finding } from "./findings.ts";

export async function checkAuthorities(mesh: Mesh, now: number): Promise<readonly Finding[]> {
  let state: AuthorityState;
  try {
    state = readAuthorityState(await mesh.inspect("/v1/authority"));
  } catch (thrown) {
    const next = "Use the same version of command line and mesh: signet version";
    return [told("mesh", `nothing is known of the authorities: ${messageOf(thrown)}`, next)];
  }
  return judgeAuthorities(state, now);
}

/** Pure. */
export function judgeAuthorities(state: AuthorityState, now: number): readonly Finding[] {
  const { roots, intermediate, rotation, fault, hasRootKey } = state;
  const byItself = hasRootKey ? ", renewed by itself" : "";
  const nextOf = {
    root: hasRootKey ? "signet ca rotate root" : "Make a new root where the key is: SECURITY.md",
    intermediate: hasRootKey
      ? "signet ca rotate intermediate"
      : "Make the next one where the root's key is: SECURITY.md",
  };
  const findings = roots.map((root, at) =>
    lifeFinding(at === 0 ? "root" : "further root", root, now, nextOf.root, ""),
  );
  findings.push(lifeFinding("intermediate", intermediate, now, nextOf.intermediate, byItself));
  if (fault !== "") {
    const next = "See the log of the controllers";
    findings.push(failed("mesh", `the rotation does not go on: ${fault}`, next));
  }
  if (rotation !== null) {
    const [first] = rotation.waiting;
    const who = first === undefined ? "" : `, waits for ${waitingText(first)}`;
    const what = `the ${rotation.of} is being rotated: ${rotation.step}${who}`;
    findings.push(told("mesh", what, "See: signet ca rotate --status"));
  }
  return findings;
}

function lifeFinding(
  what: string,
  { fingerprint, notBefore, notAfter }: AuthorityLife,
  now: number,
  next: string,
  byItself: string,
): Finding {
  const name = `${what} ${short(fingerprint)}`;
  if (notBefore === null || notAfter === null) return passed("mesh", `${name} is trusted`);
  const end = Date.parse(notAfter);
  const text = `${name} lives ${formatDuration(Math.max(0, end - now))} more`;
  const expiry = expiryOf({ notBefore: Date.parse(notBefore), notAfter: end }, now);
  switch (expiry) {
    case "ample":
      return passed("mesh", `${text}${byItself}`);
    case "half":
    case "quarter":
      if (byItself !== "" && expiry === "half") return passed("mesh", `${text}${byItself}`);
      return told("mesh", `${text}: ${shares[expiry]} of its life`, next);
    case "tenth":
      return failed("mesh", `${text}: ${shares[expiry]} of its life`, next);
    case "ended":
      return failed("mesh", `${name} has ended: nobody accepts what hangs from it`, next);
    default:
      return expiry satisfies never;
  }
}

const shares: Readonly<Record<Exclude<Expiry, "ample" | "ended">, string>> = {
  half: "less than 50 %",
  quarter: "less than 25 %",
  tenth: "less than 10 %",
};
