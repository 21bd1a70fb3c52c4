// What a check finds, and how it is told. Every line that is not well says what to do. Pure.
import type { Style } from "../paint.ts";
import { printable } from "../text.ts";

export interface Finding {
  readonly area: "machine" | "cluster" | "mesh";
  readonly what: string;
  /** info: neither well nor ill. */
  readonly verdict: "passed" | "failed" | "info";
  /** What to do; empty when nothing is to be done. */
  readonly next: string;
}

export function findingsText(findings: readonly Finding[], style: Style): readonly string[] {
  const { paint } = style;
  const lines: string[] = [];
  for (const area of new Set(findings.map((each) => each.area))) {
    lines.push(paint.bold(area));
    for (const finding of findings.filter((each) => each.area === area)) {
      lines.push(`  ${markOf(finding.verdict, style)} ${printable(finding.what)}`);
      if (finding.next !== "") lines.push(`      ${paint.cyan("next:")} ${finding.next}`);
    }
    lines.push("");
  }
  const failed = findings.filter(({ verdict }) => verdict === "failed").length;
  lines.push(failed === 0 ? paint.green("all is well") : paint.red(`${failed} to mend`));
  return lines;
}

function markOf(verdict: Finding["verdict"], { paint, glyphs }: Style): string {
  if (verdict === "info") return paint.dim(glyphs.waiting);
  return verdict === "passed" ? paint.green(glyphs.passed) : paint.red(glyphs.failed);
}

export function passed(area: Finding["area"], what: string): Finding {
  return { area, what, verdict: "passed", next: "" };
}

export function failed(area: Finding["area"], what: string, next: string): Finding {
  return { area, what, verdict: "failed", next };
}

export function told(area: Finding["area"], what: string, next: string): Finding {
  return { area, what, verdict: "info", next };
}
