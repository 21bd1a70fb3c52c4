// Certificates for people: a list with one line each, and one of them with every field and every rule.
// Pure: the golden files beside the test show what comes out.
import type { CertificateSummary, Check, Inspection } from "#/identity/inspect.ts";
import type { HandshakeCheck } from "./certs/endpoint.ts";
import type { Handshake } from "./certs/probe.ts";
import { sourceOfRule } from "./certs/rule-sources.ts";
import type { IssuedCertificate } from "./issued.ts";
import type { Style } from "./paint.ts";
import { formatFields, formatTable } from "./table.ts";
import { colonHex, formatDuration, formatTime, printable } from "./text.ts";

/** What is left below this share of the life is shown as a warning: renewal comes at two thirds. */
const LEFT_WARNING = 0.5;
/** From this width on a list has serial numbers. */
const WIDE = 110;

export interface Subject {
  /** Where the certificate comes from: "pod app-a/app-a-1", "file leaf.pem". */
  readonly origin: string;
  /** What the log says of it; null when it was not asked. */
  readonly logged: IssuedCertificate | null;
  /** Why the chain was not checked; empty when it was. */
  readonly unchecked: string;
  /** How it was seen, when an endpoint showed it; null: nobody was asked. */
  readonly endpoint: {
    readonly handshake: Handshake;
    readonly checks: readonly HandshakeCheck[];
  } | null;
}

/** Narrow terminals get the identities whole and the serial numbers not at all. */
export function listText(
  certificates: readonly IssuedCertificate[],
  now: number,
  width: number,
  style: Style,
): readonly string[] {
  if (certificates.length === 0) return ["no certificate has been issued"];
  const isWide = width >= WIDE;
  return formatTable(
    [
      { title: "IDENTITY" },
      { title: "POD", shrinks: true },
      ...(isWide ? [{ title: "SERIAL", shrinks: true }] : []),
      { title: "ISSUED", alignRight: true },
      { title: "LEFT", alignRight: true },
      { title: "LOG", alignRight: true },
    ],
    certificates.map((each) => {
      const id = printable(each.id);
      const cells = [id.replace(/^spiffe:\/\//, isWide ? "$&" : "")];
      cells.push(printable(`${each.namespace}/${each.pod}`));
      if (isWide) cells.push(printable(each.serial));
      cells.push(
        `${formatDuration(now - each.issuedAt)} ago`,
        leftText(each.notAfter - now, each.notAfter - each.issuedAt, style),
        each.logIndex === null ? "-" : String(each.logIndex),
      );
      return cells;
    }),
    width,
    style,
  );
}

export function inspectionText(
  inspection: Inspection,
  subject: Subject,
  now: number,
  style: Style,
): readonly string[] {
  const { paint } = style;
  const leaf = inspection.certificates[0]!;
  const logIndex = subject.logged?.logIndex ?? null;
  const fields: (readonly [string, string])[] = [
    ["source", subject.origin],
    ["SPIFFE ID", inspection.id === null ? paint.red("none") : paint.bold(inspection.id)],
    ["serial", colonHex(leaf.serial)],
    ["subject", leaf.subject === "" ? "empty" : leaf.subject],
    ["issuer", leaf.issuer],
    ["key", `${keyText(leaf.keyKind)}, signed with ${leaf.signatureAlgorithm}`],
    ["not before", formatTime(leaf.notBefore)],
    ["not after", formatTime(leaf.notAfter)],
    [
      "time left",
      inspection.leftMs > 0
        ? leftText(inspection.leftMs, lifeOf(leaf, subject.logged), style)
        : paint.red(`none: it ended ${formatDuration(-inspection.leftMs)} ago`),
    ],
    ["names", leaf.names.join(", ") || "none"],
    ["key usage", [...leaf.keyUsage, ...leaf.extendedKeyUsage].join(", ") || "none"],
    ["authority key", leaf.authorityKeyId === null ? "none" : colonHex(leaf.authorityKeyId)],
    ["SHA-256", colonHex(leaf.fingerprint)],
    ["log index", logIndex === null ? "not known" : String(logIndex)],
    ...(subject.logged === null ? [] : [["issued", formatTime(subject.logged.issuedAt)] as const]),
    ...handshakeFields(subject, style),
  ];
  return [
    ...formatFields(
      fields.map(([name, value]) => [name, value]),
      style,
    ),
    "",
    paint.bold("chain"),
    ...inspection.certificates.map((each, index) => chainLine(each, index, now, style)),
    "",
    paint.bold("checks"),
    ...allChecks(inspection, subject).map((check) => checkLine(check, style)),
    ...(subject.unchecked === ""
      ? []
      : [paint.yellow(`${style.glyphs.warning} the chain was not checked: ${subject.unchecked}`)]),
    "",
    verdictLine(allChecks(inspection, subject), style),
  ];
}

/** Those of the connection first: without it there is no certificate. */
function allChecks(
  { checks }: Inspection,
  { endpoint }: Pick<Subject, "endpoint">,
): readonly (Check | HandshakeCheck)[] {
  return [...(endpoint?.checks ?? []), ...checks];
}

function handshakeFields(
  { endpoint }: Subject,
  { paint }: Style,
): readonly (readonly [string, string])[] {
  if (endpoint === null) return [];
  const { version, cipher, group, alpn, elapsedMs } = endpoint.handshake;
  const isHybrid = group.includes("MLKEM");
  return [
    ["connection", printable(`${version}, ${cipher}, after ${Math.round(elapsedMs)} ms`)],
    [
      "key exchange",
      isHybrid ? paint.green(printable(group)) : paint.yellow(`${printable(group)}, not hybrid`),
    ],
    ["ALPN", alpn === "" ? "none" : printable(alpn)],
  ];
}

/** The same for programs; bytes are left out, --pem prints them. */
export function inspectionJson(inspection: Inspection, subject: Subject): unknown {
  const { logged } = subject;
  const [leaf] = inspection.certificates;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    source: subject.origin,
    spiffeId: inspection.id,
    serial: leaf?.serial,
    issuer: leaf?.issuer,
    keyType: leaf?.keyKind,
    notBefore: iso(leaf?.notBefore ?? 0),
    notAfter: iso(leaf?.notAfter ?? 0),
    leftSeconds: Math.round(inspection.leftMs / 1000),
    logIndex: logged?.logIndex ?? null,
    issuedAt: logged === null ? null : iso(logged.issuedAt),
    isValid: isValid(inspection, subject),
    isChainChecked: subject.unchecked === "",
    ...(subject.endpoint === null ? {} : { handshake: handshakeJson(subject.endpoint.handshake) }),
    checks: allChecks(inspection, subject).map((check) =>
      Object.assign({}, check, { source: sourceOfRule(check.code) }),
    ),
    chain: inspection.certificates.map((each) => ({
      ...each,
      notBefore: iso(each.notBefore),
      notAfter: iso(each.notAfter),
    })),
  };
}

/** Bytes are left out here, too. */
function handshakeJson({ chain: _chain, ...handshake }: Handshake): object {
  return handshake;
}

export function isValid(inspection: Inspection, subject: Pick<Subject, "endpoint">): boolean {
  return allChecks(inspection, subject).every(({ passed }) => passed);
}

function chainLine(each: CertificateSummary, index: number, now: number, style: Style): string {
  const role = !each.isAuthority
    ? "leaf"
    : each.subject === each.issuer
      ? "root"
      : `authority${each.pathLengthMax === null ? "" : `, path length ${each.pathLengthMax}`}`;
  const name = each.subject === "" ? each.names.join(", ") : each.subject;
  const constraints =
    each.nameConstraints.length > 0 ? ` (${each.nameConstraints.join(", ")})` : "";
  const left = leftText(each.notAfter - now, each.notAfter - each.notBefore, style);
  const until = each.notAfter > now ? `${left} left` : left;
  return `  ${index} ${role}: ${name}${constraints}, ${keyText(each.keyKind)}, ${until}`;
}

function checkLine(check: Check | HandshakeCheck, style: Style): string {
  const { passed, demand, fault, code } = check;
  const { paint, glyphs } = style;
  const source = sourceOfRule(code);
  const rule = `${demand}${source === "" ? "" : paint.dim(` (${source})`)}`;
  if (passed) return `  ${paint.green(glyphs.passed)} ${rule}`;
  return `  ${paint.red(glyphs.failed)} ${rule}: ${paint.red(printable(fault))}`;
}

function verdictLine(checks: readonly { readonly passed: boolean }[], style: Style): string {
  const broken = checks.filter(({ passed }) => !passed).length;
  if (broken === 0) return style.paint.green(`all ${checks.length} checks passed`);
  return style.paint.red(`${broken} of ${checks.length} checks failed`);
}

function leftText(leftMs: number, lifeMs: number, style: Style): string {
  const { paint } = style;
  if (leftMs <= 0) return paint.red("ended");
  const text = formatDuration(leftMs);
  return leftMs < lifeMs * LEFT_WARNING ? paint.yellow(text) : paint.green(text);
}

/** notBefore is back-dated against skewed clocks: the life counts from the time of issue, if known. */
function lifeOf(leaf: CertificateSummary, logged: IssuedCertificate | null): number {
  return leaf.notAfter - (logged?.issuedAt ?? leaf.notBefore);
}

function keyText(kind: CertificateSummary["keyKind"]): string {
  const names: Readonly<Record<CertificateSummary["keyKind"], string>> = {
    "ec-p256": "EC P-256",
    "ec-p384": "EC P-384",
    "ec-p521": "EC P-521",
    rsa: "RSA",
    "ml-dsa-65": "ML-DSA-65",
    ed25519: "Ed25519",
    other: "another kind",
  };
  return names[kind];
}
