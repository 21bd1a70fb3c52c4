// Who asked for a certificate, as its log has it and as far as it can still be seen: pure, lines and JSON.
import { fingerprint } from "#/identity/bundle.ts";
import type { IssuedCertificate } from "../issued.ts";
import type { Style } from "../paint.ts";
import { formatFields, formatTable } from "../table.ts";
import { colonHex, formatDuration, formatTime, printable } from "../text.ts";

/** What is known of the pod now. */
export interface PodNow {
  readonly node: string | null;
  /** As Kubernetes words it: "Running". */
  readonly phase: string;
  /** False: another pod has its name by now. */
  readonly isSame: boolean;
}

export interface Asker {
  readonly certificate: IssuedCertificate;
  /** null: it is gone. */
  readonly pod: PodNow | null;
  /** What is demanded of whoever calls the pod now: mode and the object that decided; null: nothing is known. */
  readonly policy: { readonly mode: string; readonly source: string } | null;
  /** Why its identity is suspended now; null when it is not. */
  readonly suspended: string | null;
}

/** One of them, with all that is known. */
export function whoText(asker: Asker, now: number, style: Style): readonly string[] {
  const { certificate, pod, policy, suspended } = asker;
  const { paint } = style;
  const told = (text: string): string => (text === "" ? paint.dim("not told") : printable(text));
  const life = formatDuration(certificate.notAfter - certificate.issuedAt);
  const left = certificate.notAfter - now;
  const [leaf] = certificate.chain;
  const fields: (readonly [string, string])[] = [
    ["identity", paint.bold(printable(certificate.id))],
    ["serial", colonHex(printable(certificate.serial))],
    ["SHA-256", leaf === undefined ? told("") : colonHex(fingerprint(leaf))],
    ["public key", told(colonHex(certificate.keyFingerprint))],
    [
      "issued",
      `${formatTime(certificate.issuedAt)} for ${life}, ${left > 0 ? `${formatDuration(left)} left` : paint.red(`ended ${formatDuration(-left)} ago`)}`,
    ],
    ["log", `entry ${certificate.logIndex ?? "-"} of ${told(certificate.log)}`],
    ["asked by", printable(`pod ${certificate.namespace}/${certificate.pod}`)],
    ["pod UID", told(certificate.podUid)],
    ["from", told(certificate.address)],
    ["proven by", proofText(certificate, style)],
    ["service account", told(certificate.serviceAccount)],
    ["node", printable(nodeOf(asker)) || paint.dim("not known any more")],
    ["issued as", told(certificate.policy)],
    ["pod now", podText(pod, style)],
    [
      "policy now",
      policy === null
        ? paint.dim("none holds for a pod that is gone")
        : `${printable(policy.mode)} by ${printable(policy.source)}`,
    ],
  ];
  if (suspended !== null) fields.push(["suspended", paint.red(printable(suspended))]);
  return formatFields(fields, style);
}

/** Logged with the certificate; of one from before that was, where its pod is now. */
function nodeOf({ certificate, pod }: Pick<Asker, "certificate" | "pod">): string {
  return certificate.node === "" ? (pod?.node ?? "") : certificate.node;
}

function proofText({ tokenHash }: IssuedCertificate, { paint }: Style): string {
  return tokenHash === ""
    ? paint.dim("no token: the authority's own process")
    : `token of which the identifier's SHA-256 is ${printable(tokenHash)}`;
}

function podText(pod: PodNow | null, { paint }: Style): string {
  if (pod === null) return paint.yellow("gone");
  return pod.isSame ? printable(pod.phase) : paint.yellow("another pod has its name");
}

/** Many of them, newest first. */
export function whoTable(
  askers: readonly Asker[],
  now: number,
  width: number,
  style: Style,
): readonly string[] {
  const columns = [
    { title: "SERIAL", shrinks: true },
    { title: "ASKED BY", shrinks: true },
    { title: "FROM" },
    { title: "NODE", shrinks: true },
    { title: "TOKEN", shrinks: true },
    { title: "ISSUED", alignRight: true },
    { title: "LEFT", alignRight: true },
  ];
  const rows = askers.map(({ certificate, pod }) => {
    const left = certificate.notAfter - now;
    return [
      printable(certificate.serial),
      printable(`${certificate.namespace}/${certificate.pod}`),
      printable(certificate.address) || "-",
      printable(nodeOf({ certificate, pod })) || "-",
      printable(certificate.tokenHash.slice(0, 16)) || "-",
      `${formatDuration(now - certificate.issuedAt)} ago`,
      left > 0 ? formatDuration(left) : style.paint.red("ended"),
    ];
  });
  return formatTable(columns, rows, width, style);
}

/** For programs; bytes are left out, inspect prints them. */
export function whoJson({ certificate, pod, policy, suspended }: Asker): object {
  const { chain, issuedAt, notBefore, notAfter, ...rest } = certificate;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    ...rest,
    fingerprint: chain[0] === undefined ? null : fingerprint(chain[0]),
    issuedAt: iso(issuedAt),
    notBefore: iso(notBefore),
    notAfter: iso(notAfter),
    podNow: pod,
    policyNow: policy,
    suspended,
  };
}
