// The arithmetic behind the tour's verdicts. Pure.

/** Two-sided: a true claim is found false once in a thousand runs. */
const Z_ONE_IN_A_THOUSAND = 3.29;

export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly mean: number;
  readonly deviation: number;
}

/**
 * Where the number of events among `trials` lies in 999 runs of 1,000 when each happens with
 * `probability` by itself: mean n p, deviation sqrt(n p (1 - p)), normal approximation, whole numbers.
 */
export function binomialInterval(trials: number, probability: number): Interval {
  const mean = trials * probability;
  const deviation = Math.sqrt(trials * probability * (1 - probability));
  return {
    low: Math.max(0, Math.floor(mean - Z_ONE_IN_A_THOUSAND * deviation)),
    high: Math.min(trials, Math.ceil(mean + Z_ONE_IN_A_THOUSAND * deviation)),
    mean,
    deviation,
  };
}

/** The chance that of `requests` at least one fails its first try and all `repeats` (union bound). */
export function falseAlarm(requests: number, failRate: number, repeats: number): number {
  return Math.min(1, requests * failRate ** (repeats + 1));
}

/** Share in percent, 0 for nothing of nothing. */
export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}

export interface SeenConnection {
  readonly key: string;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

/** One look at the kernel's table: established TCP connections by both ends. */
export interface ConnectionLook {
  readonly atMs: number;
  readonly keys: readonly string[];
}

/** How long each connection was seen; one that is away in between counts as two. Longest first. */
export function lifetimes(looks: readonly ConnectionLook[]): SeenConnection[] {
  const open = new Map<string, SeenConnection>();
  const ended: SeenConnection[] = [];
  for (const { atMs, keys } of looks) {
    const present = new Set(keys);
    for (const [key, seen] of open) {
      if (present.has(key)) continue;
      ended.push(seen);
      open.delete(key);
    }
    for (const key of present) {
      open.set(key, { key, firstSeenMs: open.get(key)?.firstSeenMs ?? atMs, lastSeenMs: atMs });
    }
  }
  return [...ended, ...open.values()].sort(
    (one, other) => other.lastSeenMs - other.firstSeenMs - (one.lastSeenMs - one.firstSeenMs),
  );
}

/** Between asking for a connection and its handshake, on a busy machine. */
const HANDSHAKE_MS_MAX = 2_000;

/**
 * When a connection that was asked for at `at` has to end at the latest: the earlier end of the certificates
 * that both ends had by then. null when one of them had none.
 */
export function endOfConnection(
  ends: readonly (readonly { readonly issuedAt: number; readonly notAfter: number }[])[],
  at: number,
): number | null {
  const latest = ends.map((certificates) =>
    Math.max(
      0,
      ...certificates
        .filter(({ issuedAt }) => issuedAt <= at + HANDSHAKE_MS_MAX)
        .map(({ notAfter }) => notAfter),
    ),
  );
  const end = Math.min(...latest);
  return latest.length === 0 || end === 0 ? null : end;
}

const ESTABLISHED = "01";

/**
 * Established connections to `remoteAddress` (IPv4) in the text of /proc/net/tcp and tcp6, as
 * "local port>remote port". Addresses there are little-endian hex; IPv4 may be mapped into IPv6.
 */
export function establishedTo(table: string, remoteAddress: string): string[] {
  const wanted = remoteAddress
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0").toUpperCase())
    .reverse()
    .join("");
  return table.split("\n").flatMap((line) => {
    const [, local = "", remote = "", state] = line.trim().split(/\s+/);
    const [address = "", port = ""] = remote.split(":");
    const isWanted = address === wanted || address === `0000000000000000FFFF0000${wanted}`;
    if (state !== ESTABLISHED || !isWanted) return [];
    return [`${Number.parseInt(local.split(":")[1] ?? "", 16)}>${Number.parseInt(port, 16)}`];
  });
}
