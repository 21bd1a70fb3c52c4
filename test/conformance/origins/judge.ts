// What must hold after an attack, from three sides: what the sidecar says it understood, what the origin
// saw, and what both callers were answered. Pure.
import path from "node:path";
import { admitted } from "../../kit/hostile/paths.ts";
import type { SentRequest, Understood } from "../../kit/understood.ts";
import type { Answer, Attempt, Awaited } from "../../kit/hostile/lab.ts";
import type { Seen } from "./origin.ts";

/** How an attack ended; `refused` by the sidecar, `declined` by the origin, `waiting`: it never was complete. */
export type Outcome = "refused" | "answered" | "declined" | "waiting";

export interface Verdict {
  /** Empty when all holds. */
  readonly faults: readonly string[];
  readonly outcome: Outcome;
}

export function awaitedFor(understood: Understood): Awaited {
  const methods: (string | null)[] = understood.requests.map(({ method }) => method);
  const isRefused = typeof understood.end !== "string";
  if (isRefused) methods.push(null);
  return { methods, closes: isRefused || understood.end === "closed" };
}

/** What a caller is told whose origin broke off, and what it may break off at before the sidecar does. */
const declinedStatus = 502;
const declinableReason = "trailers_too_long";

/** `seen`: of this attack alone. `identity`: what an origin is to be told of the caller. */
export function judge(
  understood: Understood,
  attempt: Attempt,
  seen: readonly Seen[],
  identity: string,
): Verdict {
  const faults: string[] = [];
  const { requests, end } = understood;
  const awaited = awaitedFor(understood);
  // Whom an origin declines may lose its connection, and with it what it sent ahead.
  const isWhole = attempt.answers.length === awaited.methods.length;
  const cutShort = attempt.closed && (attempt.answers.at(-1)?.status ?? 0) >= 400;
  if (!isWhole && !cutShort) {
    faults.push(`${attempt.answers.length} answers to ${awaited.methods.length} requests`);
  }
  if (attempt.unread !== "") faults.push(`more was answered: ${attempt.unread}`);
  if (awaited.closes && !attempt.closed) faults.push("the connection was not closed");
  const last = attempt.answers.at(-1)?.status;
  // An origin that has enough of such trailers may end its connection before the rest is refused.
  const isRefusal =
    typeof end !== "string" &&
    (last === end.status || (end.reason === declinableReason && last === declinedStatus));
  if (typeof end !== "string" && isWhole && !isRefusal) {
    faults.push(`answered ${last}, not ${end.status} (${end.reason})`);
  }
  const taken = requests.filter((request, index) => isEcho(request, attempt.answers[index]));
  if (seen.length !== taken.length) {
    faults.push(`the origin saw ${seen.length} requests and answered ${taken.length}`);
  }
  for (const [index, one] of seen.entries()) {
    const expected = taken[index];
    if (expected !== undefined) faults.push(...differences(one, expected));
    faults.push(...forgeries(one, identity));
  }
  return { faults, outcome: outcomeOf(understood, taken.length) };
}

/** Whether an origin's reading of a target stays below what a policy admits, however much it decodes. */
export function staysAdmitted({ path: read }: Seen): boolean {
  let text = read;
  for (let times = 0; times < 3; times += 1) {
    const resolved = path.posix.normalize(
      text
        .replaceAll("\\", "/")
        .replaceAll(/;[^/]*/g, "")
        .replaceAll(/\0.*/gs, ""),
    );
    if (resolved !== admitted && !resolved.startsWith(`${admitted}/`)) return false;
    text = decoded(text);
  }
  return true;
}

function decoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function outcomeOf({ requests, end }: Understood, taken: number): Outcome {
  if (requests.length === 0) return typeof end === "string" ? "waiting" : "refused";
  return taken > 0 ? "answered" : "declined";
}

/** The origin answers with what it was asked. */
function isEcho({ method, target }: SentRequest, answer: Answer | undefined): boolean {
  if (answer?.status !== 200) return false;
  return method === "HEAD" || answer.body === `${method} ${target}`;
}

function differences(seen: Seen, expected: SentRequest): readonly string[] {
  return (["method", "target", "body"] as const)
    .filter((what) => seen[what] !== expected[what])
    .map((what) => `${what} "${seen[what]}" where "${expected[what]}" was understood`);
}

/** Claims of identity that the sidecar did not make. Names as a server of variables folds them. */
function forgeries({ fields }: Seen, identity: string): readonly string[] {
  const claims: string[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase().replaceAll("_", "-");
    const isClaim =
      name === "x-forwarded-client-cert" ||
      name === "l5d-client-id" ||
      name.startsWith("x-signet-");
    if (isClaim) claims.push(`${name}: ${fields[at + 1]}`);
  }
  const expected = `x-forwarded-client-cert: ${identity}`;
  return claims.length === 1 && claims[0] === expected ? [] : [`claims: ${claims.join(" | ")}`];
}
