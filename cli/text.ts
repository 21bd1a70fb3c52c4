// Text for people, pure: widths, cuts, and how numbers, times and identities are written.

// oxlint-disable-next-line no-control-regex
const escapePattern = /\u001b\[[0-9;]*[A-Za-z]/g;
// oxlint-disable-next-line no-control-regex
const controlPattern = /[\u0000-\u001f\u007f-\u009f]/g;

/** Columns on a terminal; colour codes take none. Every other character counts as one column. */
export function displayWidth(text: string): number {
  return Array.from(text.replaceAll(escapePattern, "")).length;
}

/** Without colour codes. */
export function stripColour(text: string): string {
  return text.replaceAll(escapePattern, "");
}

/** What came from elsewhere (logs, files, servers) may not steer the terminal: control characters go. */
export function printable(text: string): string {
  return stripColour(text).replaceAll(controlPattern, "");
}

/** At most `width` columns, the cut marked by `mark`. Colours are dropped from a text that is cut. */
export function truncate(text: string, width: number, mark = "…"): string {
  if (displayWidth(text) <= width) return text;
  const characters = Array.from(stripColour(text));
  if (width <= mark.length) return characters.slice(0, Math.max(0, width)).join("");
  return `${characters.slice(0, width - mark.length).join("")}${mark}`;
}

/** Cuts in the middle: both ends of a name tell more than its beginning alone. */
export function truncateMiddle(text: string, width: number, mark = "…"): string {
  const characters = Array.from(stripColour(text));
  if (characters.length <= width) return text;
  const kept = width - mark.length;
  if (kept < 2) return truncate(text, width, mark);
  const tail = Math.floor(kept / 2);
  const head = kept - tail;
  return `${characters.slice(0, head).join("")}${mark}${characters.slice(-tail).join("")}`;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** "12m 04s", "3h 05m", "2d 04h", "850 ms": two units at most. Negative times count as 0. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  return `${Math.floor(minutes / (24 * 60))}d ${two(Math.floor(minutes / 60) % 24)}h`;
}

/** "1.2 s" for how long something took; tenths matter here. */
export function formatElapsed(elapsedMs: number): string {
  return `${(Math.max(0, elapsedMs) / 1000).toFixed(1)} s`;
}

/** "0.8 ms", "12 ms", "1.20 s"; a dash for what was not measured. */
export function formatLatency(seconds: number | null): string {
  if (seconds === null) return "-";
  const ms = seconds * 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${seconds.toFixed(2)} s`;
}

/** "99.3 %"; never rounded up to 100 while something failed. A dash for nothing at all. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return "-";
  const percent = (100 * part) / whole;
  const shown = part < whole ? Math.min(99.9, Math.round(percent * 10) / 10) : 100;
  return `${shown.toFixed(1)} %`;
}

/** "2026-11-21 08:16:05Z", the same for every reader whatever the machine's time zone. */
export function formatTime(ms: number): string {
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return "unknown";
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** "namespace/account" of a SPIFFE ID of a workload; anything else as it is. */
export function shortIdentity(identity: string): string {
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity);
  return match === null ? identity : `${match[1]}/${match[2]}`;
}

/** "5b:0e:..." as openssl writes serial numbers and fingerprints. */
export function colonHex(hex: string): string {
  return (hex.match(/.{1,2}/g) ?? []).join(":");
}

/** "1 pod", "2 pods". */
export function counted(count: number, noun: string, nouns: string = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}
