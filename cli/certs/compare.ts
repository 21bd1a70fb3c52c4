// Two certificates, field by field. Pure.
import type { CertificateSummary, Inspection } from "#/identity/inspect.ts";
import type { Style } from "../paint.ts";
import { formatTable } from "../table.ts";
import { colonHex, formatDuration, formatTime, printable } from "../text.ts";

export interface ComparedField {
  readonly name: string;
  readonly one: string;
  readonly other: string;
  readonly isSame: boolean;
}

export interface Compared {
  readonly inspection: Inspection;
  /** SHA-256 of the leaf's SubjectPublicKeyInfo, hex. */
  readonly keyFingerprint: string;
}

/** Every field of both leaves, then what each chain leads over. */
export function compare(one: Compared, other: Compared): readonly ComparedField[] {
  const left = fieldsOf(one);
  const right = fieldsOf(other);
  return left.map(([name, value], index) => {
    const [, second] = right[index]!;
    return { name, one: value, other: second, isSame: value === second };
  });
}

function fieldsOf({
  inspection,
  keyFingerprint,
}: Compared): readonly (readonly [string, string])[] {
  const { certificates, id, checks } = inspection;
  const leaf = certificates[0]!;
  const broken = checks.filter(({ passed }) => !passed).map(({ demand }) => demand);
  return [
    ["SPIFFE ID", id ?? "none"],
    ["names", listed(leaf.names)],
    ["serial", colonHex(leaf.serial)],
    ["public key", colonHex(keyFingerprint)],
    ["key", leaf.keyKind],
    ["signed with", leaf.signatureAlgorithm],
    ["subject", leaf.subject || "empty"],
    ["issuer", leaf.issuer],
    ["issuer's key", leaf.authorityKeyId === null ? "not named" : colonHex(leaf.authorityKeyId)],
    ["not before", formatTime(leaf.notBefore)],
    ["not after", formatTime(leaf.notAfter)],
    ["life", formatDuration(leaf.notAfter - leaf.notBefore)],
    ["authority", leaf.isAuthority ? "yes" : "no"],
    ["key usage", listed(leaf.keyUsage)],
    ["extended key usage", listed(leaf.extendedKeyUsage)],
    ["chain", certificates.slice(1).map(nameOf).join(" < ") || "the leaf alone"],
    ["rules broken", listed(broken)],
    ["SHA-256", colonHex(leaf.fingerprint)],
  ];
}

function nameOf({ subject, serial }: CertificateSummary): string {
  return `${subject || "no subject"} (${serial})`;
}

function listed(values: readonly string[]): string {
  return values.join(", ") || "none";
}

/** `all`: the equal ones, too. */
export function compareText(
  origins: readonly [string, string],
  fields: readonly ComparedField[],
  { all, width, style }: { readonly all: boolean; readonly width: number; readonly style: Style },
): readonly string[] {
  const { paint, glyphs } = style;
  const shown = all ? fields : fields.filter(({ isSame }) => !isSame);
  const differing = fields.filter(({ isSame }) => !isSame).length;
  const verdict =
    differing === 0
      ? paint.green("the same certificate in every field")
      : `${differing} of ${fields.length} fields differ`;
  if (shown.length === 0) return [verdict];
  const columns = [
    { title: "" },
    { title: "FIELD" },
    { title: printable(origins[0]), shrinks: true },
    { title: printable(origins[1]), shrinks: true },
  ];
  const rows = shown.map(({ name, one, other, isSame }) => [
    isSame ? paint.green(glyphs.passed) : paint.yellow(glyphs.warning),
    name,
    printable(one),
    isSame ? paint.dim("the same") : printable(other),
  ]);
  return [...formatTable(columns, rows, width, style), "", verdict];
}
