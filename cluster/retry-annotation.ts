// Retries of an HTTPRoute as an annotation: the field `retry` stands in the Gateway API's experimental
// channel alone, and an API server with the standard one does not keep it. The annotation says the same,
// in the field's own words, for every rule that has no `retry` of its own:
//
//     signet.dev/retry: attempts=12 codes=500,502,503,504 backoff=25ms
//
// What is left out is as the field's default. Pure.
import { durationMs } from "./duration.ts";

export const retryAnnotation = "signet.dev/retry";

/** null: not told. */
export interface RetryWish {
  readonly codes: readonly number[] | null;
  /** Repeats after the first try. */
  readonly attempts: number | null;
  readonly backoffMs: number | null;
}

/** As many as the field may have. */
export const retryCodesMax = 32;
export const retryAttemptsMax = 16;
/** Of a whole annotation; one with every code has less. */
const charactersMax = 512;

const example = "attempts=2 codes=500,502,503,504 backoff=25ms";

/** What a route's annotations ask for, null for nothing; or what is wrong with one of them. */
export function readRouteAnnotations(
  annotations: Readonly<Record<string, string>>,
): RetryWish | { readonly key: string; readonly fault: string } | null {
  // A typing mistake must not end in a route without retries.
  const stranger = Object.keys(annotations).find(
    (key) => key.startsWith("signet.dev/") && key !== retryAnnotation,
  );
  if (stranger !== undefined) {
    return { key: stranger, fault: `is unknown; on a route there is "${retryAnnotation}"` };
  }
  const text = annotations[retryAnnotation];
  const wish = text === undefined ? null : readRetryAnnotation(text);
  return wish !== null && "fault" in wish ? { key: retryAnnotation, ...wish } : wish;
}

/** What the annotation asks for, or what is wrong with it. */
export function readRetryAnnotation(text: string): RetryWish | { readonly fault: string } {
  if (text.length > charactersMax) return { fault: `has more than ${charactersMax} characters` };
  const words = text.split(/[ \t\n]+/).filter((word) => word !== "");
  if (words.length === 0) return { fault: `is empty; write it like "${example}"` };
  const told = new Map<string, string>();
  for (const word of words) {
    const [, name, value] = /^([a-z]+)=(.*)$/.exec(word) ?? [];
    if (name === undefined || value === undefined || !known.has(name)) {
      return { fault: `"${word}" is not understood; write it like "${example}"` };
    }
    if (told.has(name)) return { fault: `"${name}" is there twice` };
    told.set(name, value);
  }
  const attempts = readAttempts(told.get("attempts"));
  const codes = readCodes(told.get("codes"));
  const backoff = told.get("backoff");
  const backoffMs = backoff === undefined ? null : durationMs(backoff);
  if (attempts === "wrong") {
    return { fault: `"attempts" is not a whole number from 0 to ${retryAttemptsMax}` };
  }
  if (codes === "wrong") {
    return {
      fault: `"codes" are not at most ${retryCodesMax} numbers from 400 to 599 with commas`,
    };
  }
  if (backoff !== undefined && backoffMs === null) {
    return { fault: `"backoff" is not a duration like 25ms or 1s` };
  }
  return { codes, attempts, backoffMs };
}

const known: ReadonlySet<string> = new Set(["attempts", "codes", "backoff"]);

function readAttempts(text: string | undefined): number | null | "wrong" {
  if (text === undefined) return null;
  return /^\d{1,2}$/.test(text) && Number(text) <= retryAttemptsMax ? Number(text) : "wrong";
}

function readCodes(text: string | undefined): readonly number[] | null | "wrong" {
  if (text === undefined) return null;
  const codes = text.split(",");
  const areSound = codes.length <= retryCodesMax && codes.every((code) => /^[45]\d\d$/.test(code));
  return areSound ? codes.map(Number) : "wrong";
}
