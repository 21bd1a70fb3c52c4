// The mesh's authorities and a rotation of them, in words. Pure.
import type { Style } from "./paint.ts";
import type { AuthorityState, RotationProgress, Waiting } from "./rotation.ts";
import { counted, formatElapsed, formatTime } from "./text.ts";

/** Laggards that are named in one go. */
const NAMED_MAX = 10;
const FINGERPRINT_SHOWN = 16;

const steps: Readonly<Record<RotationProgress["step"], (of: string) => string>> = {
  staged: (of) =>
    of === "root" ? "the next root is trusted beside the present one" : "the next one is there",
  switched: () => "issuers hang from the next one; the former is still trusted",
  retired: (of) => `the former ${of}'s key is destroyed`,
};
const stepsBack: typeof steps = {
  staged: () => "it is being given up",
  switched: () => "issuers hang from the former one again",
  retired: (of) => `the ${of} that was given up is gone, and so is its key`,
};

const reasons: Readonly<Record<string, string>> = {
  world_unknown: "the controller does not see which pods there are",
  step_not_taken: "has not taken this step up",
  not_connected: "no controller is connected with its sidecar",
  bundle_not_acknowledged: "has not acknowledged the trust bundle",
  leaf_not_renewed: "has a certificate of the former issuers",
  bundle_not_fetched: "are given the time to fetch the next root",
};

export function stepText({ step, of, isAborting }: RotationProgress, style: Style): string {
  const say = (isAborting ? stepsBack : steps)[step];
  return `${style.paint.bold(step)}: ${say(of)}`;
}

/** "app-a/x: no controller is connected with its sidecar, since 2026-11-21 08:16:05Z". */
export function waitingText({ name, reason, since, bundle }: Waiting): string {
  const when = since === null ? "" : `, since ${formatTime(Date.parse(since))}`;
  const isOfBundle = reason === "bundle_not_acknowledged" && bundle !== null;
  const version = isOfBundle ? ` (it last acknowledged ${bundle})` : "";
  return `${name}: ${reasons[reason] ?? reason}${when}${version}`;
}

export function waitingLines(waiting: readonly Waiting[]): readonly string[] {
  const named = waiting.slice(0, NAMED_MAX).map((each) => `  waits for ${waitingText(each)}`);
  const left = waiting.length - named.length;
  return left > 0 ? [...named, `  and for ${counted(left, "other")}`] : named;
}

export function stateLines(state: AuthorityState, now: number, style: Style): readonly string[] {
  const { custody, place, roots, intermediate, rotation, last, refusal, hasRootKey } = state;
  const key = hasRootKey ? "with the root's key" : "the root's key is elsewhere";
  const wrapped = state.areKeysWrapped ? "keys wrapped" : "keys not wrapped";
  const until = (notAfter: string | null): string =>
    notAfter === null ? "" : `, until ${formatTime(Date.parse(notAfter))}`;
  return [
    `custody       ${custody}: ${place}, ${key}, ${wrapped}`,
    ...roots.map(
      ({ fingerprint, notAfter }, at) =>
        `${at === 0 ? "root        " : "and trusted "}  ${short(fingerprint)}${until(notAfter)}`,
    ),
    `intermediate  ${short(intermediate.fingerprint)}${until(intermediate.notAfter)}`,
    ...(rotation === null
      ? [`rotation      ${last === null ? "none so far" : outcomeText(last)}`]
      : [
          `rotation      of the ${rotation.of}, for ${formatElapsed(now - Date.parse(rotation.startedAt))}`,
          `  ${stepText(rotation, style)}`,
          ...waitingLines(rotation.waiting),
        ]),
    ...(state.pending === null
      ? []
      : ["pending       a key waits for its certificate: signet ca install CERTIFICATE"]),
    ...(refusal === null ? [] : [`refused       ${refusal.message}`]),
    ...(state.fault === "" ? [] : [`stuck         ${state.fault}`]),
    ...(state.isDriven ? [] : ["No controller drives now: nothing goes on until one does."]),
  ];
}

export function outcomeText(last: NonNullable<AuthorityState["last"]>): string {
  const took = formatElapsed(Date.parse(last.finishedAt) - Date.parse(last.startedAt));
  const at = formatTime(Date.parse(last.finishedAt));
  return last.end === "rotated"
    ? `the ${last.of} was rotated in ${took}, ${at}`
    : `the rotation of the ${last.of} was aborted after ${took}, ${at}`;
}

/** As much of a fingerprint as tells two apart. */
export function short(fingerprint: string): string {
  return fingerprint.slice(0, FINGERPRINT_SHOWN);
}
