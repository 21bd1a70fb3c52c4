// From scrapes to what the live view shows. Pure: a history takes in one scrape of every sidecar at a
// time, and the model is computed from it; the same scrapes give the same model.
import { shortIdentity } from "../text.ts";
import type { Answer } from "./app-lines.ts";
import type { Sample } from "./scrape.ts";
import type { Counters } from "./series.ts";
import { growth, quantile, sumBy, total } from "./series.ts";

/** Shares and quantiles cover this long; rates the last ten seconds, so that a change is seen soon. */
const WINDOW_MS = 60_000;
const RATE_WINDOW_MS = 10_000;

export interface PodScrape {
  /** "namespace/name". */
  readonly pod: string;
  readonly identity: string;
  /** null: the sidecar did not answer. */
  readonly counters: Counters | null;
}

interface Snapshot {
  readonly at: number;
  readonly pods: readonly PodScrape[];
}

interface CertificateSeen {
  readonly notAfterMs: number;
  /** When it was first seen: the full length of its bar. */
  readonly seenAt: number;
}

export interface History {
  readonly startedAt: number;
  readonly snapshots: readonly Snapshot[];
  readonly certificates: ReadonlyMap<string, CertificateSeen>;
}

export interface BackendShare {
  readonly name: string;
  readonly requests: number;
}

export interface Flow {
  readonly source: string;
  readonly destination: string;
  /** "TLSv1.3"; empty when plaintext. */
  readonly version: string;
  readonly group: string;
}

export interface ServiceModel {
  readonly name: string;
  readonly requestsPerS: number;
  readonly requests: number;
  readonly backends: readonly BackendShare[];
  readonly tries: number;
  readonly triesOk: number;
  readonly answersOk: number;
  readonly retries: number;
  readonly p50Seconds: number | null;
  readonly p99Seconds: number | null;
  readonly flows: readonly Flow[];
}

export interface WorkloadModel {
  readonly pod: string;
  readonly identity: string;
  /** null: the sidecar has none, or did not answer. */
  readonly notAfterMs: number | null;
  readonly lifetimeMs: number;
  readonly renewals: number;
  readonly failures: number;
  readonly isAnswering: boolean;
  readonly isControllerConnected: boolean;
}

export interface LiveModel {
  readonly startedAt: number;
  readonly answers: readonly Answer[];
  readonly services: readonly ServiceModel[];
  readonly workloads: readonly WorkloadModel[];
  /** Refused connections and requests in the window, by reason. */
  readonly refusals: readonly (readonly [reason: string, count: number])[];
}

export function startHistory(now: number): History {
  return { startedAt: now, snapshots: [], certificates: new Map() };
}

/** The history with one more scrape; what lies before the window is forgotten. */
export function advance(history: History, at: number, pods: readonly PodScrape[]): History {
  const kept = history.snapshots.filter((snapshot) => at - snapshot.at <= WINDOW_MS);
  const certificates = new Map<string, CertificateSeen>();
  for (const { pod, counters } of pods) {
    const known = history.certificates.get(pod);
    const notAfterMs =
      1000 * (valueOf(counters, "signet_proxy_certificate_not_after_seconds") ?? 0);
    if (notAfterMs > 0 && notAfterMs !== known?.notAfterMs) {
      certificates.set(pod, { notAfterMs, seenAt: at });
    } else if (known !== undefined) certificates.set(pod, known);
  }
  return { ...history, snapshots: [...kept, { at, pods }], certificates };
}

/** Everything the view shows; `answers` are app-a's, oldest first. */
export function buildModel(history: History, answers: readonly Answer[]): LiveModel {
  const last = history.snapshots.at(-1);
  if (last === undefined) {
    return { startedAt: history.startedAt, answers, services: [], workloads: [], refusals: [] };
  }
  const changes = last.pods.flatMap((pod) => changeOf(history, last, pod));
  const names = new Set(changes.flatMap((change) => servicesOf(change.after)));
  const refused = changes.flatMap(({ before, after }) =>
    growth("signet_proxy_refusals_total", before, after),
  );
  return {
    startedAt: history.startedAt,
    answers,
    services: [...names].sort().map((name) => buildService(name, changes)),
    workloads: last.pods.map((pod) => buildWorkload(history, pod)),
    refusals: [...sumBy(refused, (labels) => labels["reason"] ?? "")],
  };
}

/** One sidecar's counters now, at the window's beginning, and at the beginning of the rate's. */
interface Change {
  readonly before: Counters | null;
  readonly beforeRate: Counters | null;
  readonly rateMs: number;
  readonly after: Counters;
}

function changeOf(history: History, last: Snapshot, { pod, counters }: PodScrape): Change[] {
  if (counters === null) return [];
  const earlier = (sinceMs: number): { at: number; counters: Counters | null } => {
    const first = history.snapshots.find(({ at }) => last.at - at <= sinceMs) ?? last;
    const found = first.pods.find((each) => each.pod === pod)?.counters ?? null;
    // The first scrape of all counts from the start of the mesh.
    if (first === last) return { at: history.startedAt, counters: null };
    return { at: first.at, counters: found };
  };
  const rate = earlier(RATE_WINDOW_MS);
  // What was before the first look is in no scrape: within the window, all since the start counts.
  const isAll = history.snapshots[0] === last || last.at - history.startedAt <= WINDOW_MS;
  return [
    {
      before: isAll ? null : earlier(WINDOW_MS).counters,
      beforeRate: rate.counters,
      rateMs: Math.max(1, last.at - rate.at),
      after: counters,
    },
  ];
}

/** What this sidecar has called; a service that only takes calls is shown where it is called from. */
function servicesOf(counters: Counters): string[] {
  return [...counters.values()]
    .filter(({ name, labels }) => {
      const isOutbound = labels["direction"] === "outbound" && labels["service"] !== "";
      return name === "signet_proxy_responses_total" && isOutbound;
    })
    .map(({ labels }) => labels["service"] ?? "");
}

function buildService(name: string, changes: readonly Change[]): ServiceModel {
  const grown = (metric: string, since: "before" | "beforeRate", change: Change) =>
    growth(metric, change[since], change.after).filter(
      ({ labels }) =>
        labels["service"] === name && (labels["direction"] ?? "outbound") === "outbound",
    );
  const every = (metric: string) => changes.flatMap((change) => grown(metric, "before", change));
  const responses = every("signet_proxy_responses_total");
  const tries = every("signet_proxy_tries_total");
  const buckets = every("signet_proxy_request_duration_seconds_bucket");
  const perS = changes.map(
    (change) =>
      (1000 * total(grown("signet_proxy_responses_total", "beforeRate", change))) / change.rateMs,
  );
  const backends = sumBy(tries, (labels) => labels["backend"] ?? "");
  return {
    name,
    requestsPerS: perS.reduce((sum, each) => sum + each, 0),
    requests: total(responses),
    backends: [...backends]
      .map(([backend, requests]) => ({ name: backendName(backend), requests }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
    tries: total(tries),
    triesOk: total(
      tries.filter(({ labels }) => /^[123](?:xx|\d\d)$/.test(labels["outcome"] ?? "")),
    ),
    answersOk: total(responses.filter(({ labels }) => /^[123]/.test(labels["status"] ?? ""))),
    retries: Math.max(0, total(tries) - total(responses.filter(hasReached))),
    p50Seconds: quantile(buckets, 0.5),
    p99Seconds: quantile(buckets, 0.99),
    flows: flowsOf(name, changes),
  };
}

/** Another pod was tried; without any the sidecar itself answered, and that request failed. */
function hasReached({ labels }: Sample): boolean {
  return (labels["backend"] ?? "") !== "" && (labels["destination"] ?? "") !== "";
}

/** Who spoke to whom in the window, and how. */
function flowsOf(service: string, changes: readonly Change[]): Flow[] {
  const flows = new Map<string, Flow>();
  for (const { before, after } of changes) {
    const spoken = growth("signet_proxy_responses_total", before, after).filter(
      ({ labels }) => labels["direction"] === "outbound" && labels["service"] === service,
    );
    for (const { labels } of spoken) {
      const { source = "", destination = "" } = labels;
      const how = connectionTo(destination, after);
      // Without a connection nobody was spoken to: the sidecar itself answered.
      if (how === null) continue;
      const { version = "", group = "" } = how.labels;
      flows.set(`${source} ${destination}`, { source, destination, version, group });
    }
  }
  return [...flows.values()];
}

function connectionTo(destination: string, counters: Counters): Sample | null {
  const found = [...counters.values()].findLast(
    ({ name, labels }) =>
      name === "signet_proxy_connections_total" &&
      labels["direction"] === "outbound" &&
      labels["destination"] === destination,
  );
  return found ?? null;
}

function buildWorkload(history: History, { pod, identity, counters }: PodScrape): WorkloadModel {
  const seen = history.certificates.get(pod);
  const issued = valueOf(counters, "signet_proxy_certificates_issued_total") ?? 0;
  const failures = [...(counters?.values() ?? [])].filter(
    ({ name }) => name === "signet_proxy_certificate_failures_total",
  );
  return {
    pod,
    identity: shortIdentity(identity),
    notAfterMs: seen?.notAfterMs ?? null,
    lifetimeMs: seen === undefined ? 0 : seen.notAfterMs - seen.seenAt,
    renewals: Math.max(0, issued - 1),
    failures: total(failures),
    isAnswering: counters !== null,
    isControllerConnected: valueOf(counters, "signet_proxy_controller_connected") === 1,
  };
}

function valueOf(counters: Counters | null, name: string): number | null {
  return counters?.get(name)?.value ?? null;
}

/** "app-b/app-b-v1:80" is shown as "app-b-v1". */
function backendName(cluster: string): string {
  return /^[^/]+\/([^:]+)(?::\d+)?$/.exec(cluster)?.[1] ?? cluster;
}
