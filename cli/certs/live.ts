// What each sidecar holds at this moment, by its own word, beside the newest that was issued to its pod.
import { newestByPod, readIssued } from "../issued.ts";
import { parseExposition } from "../live/scrape.ts";
import { identityOf } from "../identity/suspension.ts";
import { podName } from "../mesh.ts";
import type { Mesh, Pod } from "../mesh.ts";
import type { Style } from "../paint.ts";
import { formatTable } from "../table.ts";
import { formatDuration, printable } from "../text.ts";

/**
 * current: the newest that was issued. behind: a newer one was issued, and is not in use. none: it has no
 * certificate. silent: it does not answer.
 */
export type LiveState = "current" | "behind" | "none" | "silent";

export interface LiveRow {
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
  readonly state: LiveState;
  /** Milliseconds since the Unix epoch, by the sidecar; 0 without a certificate. */
  readonly notAfter: number;
  /** Of the newest that was issued; null when none was. */
  readonly serial: string | null;
  /** Of the certificate with which its stream to the controller was opened; null without a stream. */
  readonly streamSerial: string | null;
}

/** Certificates end at whole seconds. */
const SECOND_MS = 1_000;

export async function readLive(mesh: Mesh): Promise<readonly LiveRow[]> {
  const [trustDomain, pods, certificates, proxies] = await Promise.all([
    mesh.trustDomain(),
    mesh.pods(),
    mesh.inspect("/v1/certificates"),
    mesh.inspect("/v1/proxies"),
  ]);
  const newest = new Map(
    newestByPod(certificates.flatMap(readIssued)).map((each) => [
      `${each.namespace}/${each.pod}`,
      each,
    ]),
  );
  const streams = streamsOf(proxies);
  const meshed = pods.filter(({ isMeshed }) => isMeshed);
  const rows = await Promise.all(
    meshed.map(async (pod): Promise<LiveRow> => {
      const name = podName(pod);
      const held = await notAfterOf(mesh, pod);
      const issued = newest.get(name);
      return {
        id: identityOf(trustDomain, pod),
        namespace: pod.namespace,
        pod: pod.name,
        state: stateOf(held, issued?.notAfter ?? null),
        notAfter: held ?? 0,
        serial: issued?.serial ?? null,
        streamSerial: streams.get(name) ?? null,
      };
    }),
  );
  return rows.toSorted((one, other) => (podName(podOf(one)) < podName(podOf(other)) ? -1 : 1));
}

function podOf({ namespace, pod }: LiveRow): Pick<Pod, "namespace" | "name"> {
  return { namespace, name: pod };
}

/** null: it does not answer. */
async function notAfterOf(mesh: Mesh, pod: Pod): Promise<number | null> {
  const text = await mesh.metrics(pod).catch(() => null);
  if (text === null) return null;
  const metric = "signet_proxy_certificate_not_after_seconds";
  const found = parseExposition(text).find(({ name }) => name === metric);
  return (found?.value ?? 0) * 1000;
}

export function stateOf(held: number | null, newest: number | null): LiveState {
  if (held === null) return "silent";
  if (held === 0) return "none";
  return newest !== null && newest - held >= SECOND_MS ? "behind" : "current";
}

/** The newest stream of a pod stands last. */
function streamsOf(answers: readonly unknown[]): ReadonlyMap<string, string> {
  const streams = new Map<string, string>();
  for (const answer of answers) {
    const { proxies } = (answer ?? {}) as { readonly proxies?: unknown };
    for (const each of Array.isArray(proxies) ? proxies : []) {
      const { pod, serial } = each as { readonly pod?: unknown; readonly serial?: unknown };
      if (typeof pod === "string" && typeof serial === "string") streams.set(pod, serial);
    }
  }
  return streams;
}

export function liveText(
  rows: readonly LiveRow[],
  now: number,
  width: number,
  style: Style,
): readonly string[] {
  if (rows.length === 0) return ["no sidecar is there that is asked for"];
  const { paint } = style;
  const states: Readonly<Record<LiveState, string>> = {
    current: paint.green("current"),
    behind: paint.yellow("behind: a newer one was issued"),
    none: paint.red("has no certificate"),
    silent: paint.red("does not answer"),
  };
  const columns = [
    { title: "IDENTITY" },
    { title: "POD", shrinks: true },
    { title: "NEWEST", shrinks: true },
    { title: "STREAM WITH", shrinks: true },
    { title: "LEFT", alignRight: true },
    { title: "STATE" },
  ];
  const cells = rows.map(({ id, namespace, pod, serial, streamSerial, notAfter, state }) => {
    const left = notAfter - now;
    return [
      printable(id),
      printable(`${namespace}/${pod}`),
      printable(serial ?? "-"),
      streamSerial === null ? "-" : streamSerial === serial ? "the same" : printable(streamSerial),
      left > 0 ? formatDuration(left) : notAfter === 0 ? "-" : paint.red("ended"),
      states[state],
    ];
  });
  return formatTable(columns, cells, width, style);
}

export function liveJson({ notAfter, ...rest }: LiveRow): object {
  return { ...rest, notAfter: notAfter === 0 ? null : new Date(notAfter).toISOString() };
}
