// Puts the rules in force: reads both families, then writes each in one transaction, then reads again.
// Nothing is written before both families could be read, so a kernel that cannot do one of them is
// found out while the pod is still untouched. What fails leaves the pod unstarted, never half open:
// an init container that exits non-zero is run again, and this converges.
import { MeshError } from "#/lib/errors.ts";
import type { RedirectConfig } from "./config.ts";
import type { Family } from "./network.ts";
import { buildRules, isInForce, planRestore } from "./rules.ts";

export type ApplyErrorCode =
  | "iptables_missing"
  | "not_permitted"
  | "kernel_unsupported"
  | "rules_refused"
  | "rules_not_in_force";

export class ApplyError extends MeshError<ApplyErrorCode> {}

export interface CommandResult {
  /** null when the program could not be found. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. The seam between the rules and the machine. */
export type RunCommand = (
  program: string,
  parameters: readonly string[],
  input: string,
) => CommandResult;

export interface FamilyOutcome {
  readonly family: Family;
  readonly outcome: "changed" | "unchanged" | "no_ipv6_in_kernel" | "skipped_unsafe";
}

const programs: Readonly<Record<Family, { save: string; restore: string }>> = {
  ipv4: { save: "iptables-save", restore: "iptables-restore" },
  ipv6: { save: "ip6tables-save", restore: "ip6tables-restore" },
};

/** How long to wait for another iptables that holds the lock. */
const lockWaitS = 10;

/** Brings both families to the wanted state. `hasIpv6`: the kernel has IPv6 at all. Throws ApplyError. */
export function applyRules(
  config: RedirectConfig,
  hasIpv6: boolean,
  run: RunCommand,
): FamilyOutcome[] {
  const outcomes: FamilyOutcome[] = [];
  const plans: { family: Family; text: string | null }[] = [];
  for (const family of ["ipv4", "ipv6"] as const) {
    if (family === "ipv6" && !hasIpv6) {
      outcomes.push({ family, outcome: "no_ipv6_in_kernel" });
      continue;
    }
    const read = readSaved(family, run);
    if (read instanceof ApplyError) {
      if (!mayLeaveOut(family, read, config)) throw read;
      outcomes.push({ family, outcome: "skipped_unsafe" });
      continue;
    }
    plans.push({ family, text: planRestore(buildRules(config, family), read) });
  }
  for (const { family, text } of plans) {
    if (text !== null) writeRules(family, text, config, run);
    outcomes.push({ family, outcome: text === null ? "unchanged" : "changed" });
  }
  return outcomes.sort((left, right) => left.family.localeCompare(right.family));
}

/** Only a kernel without the table may be left out, and only when somebody said so aloud. */
function mayLeaveOut(family: Family, error: ApplyError, config: RedirectConfig): boolean {
  return family === "ipv6" && error.code === "kernel_unsupported" && config.unsafeSkipIpv6;
}

function readSaved(family: Family, run: RunCommand): string | ApplyError {
  const { save } = programs[family];
  const result = run(save, ["-t", "nat"], "");
  return result.exitCode === 0 ? result.stdout : failure(save, result);
}

function writeRules(family: Family, text: string, config: RedirectConfig, run: RunCommand): void {
  const { restore, save } = programs[family];
  const result = run(restore, ["--noflush", "--wait", String(lockWaitS)], text);
  if (result.exitCode !== 0) throw failure(restore, result);
  const after = readSaved(family, run);
  if (after instanceof ApplyError) throw after;
  if (!isInForce(buildRules(config, family), after)) {
    throw new ApplyError(
      "rules_not_in_force",
      `Cannot confirm the ${family} rules: "${save}" shows others than were written`,
      { next: "Look for another program that changes the nat table of this pod at the same time" },
    );
  }
}

/** One place that turns what iptables says into what a person can do. */
function failure(program: string, result: CommandResult): ApplyError {
  const said = result.stderr.trim().split("\n").slice(0, 3).join("; ").slice(0, 500);
  if (result.exitCode === null) {
    return new ApplyError("iptables_missing", `Cannot run "${program}": it is not installed`, {
      next: "Install the package iptables, or use the proxy-init image",
    });
  }
  if (/permission denied|operation not permitted|you must be root/i.test(said)) {
    return new ApplyError("not_permitted", `Cannot change rules with "${program}": ${said}`, {
      next: "Run as root with the capability NET_ADMIN",
    });
  }
  if (unsupported.test(said)) {
    return new ApplyError(
      "kernel_unsupported",
      `Cannot change rules with "${program}": the kernel lacks what they need: ${said}`,
      { next: "Load nf_nat, xt_REDIRECT, xt_owner and xt_comment (or nft_compat) on the node" },
    );
  }
  return new ApplyError(
    "rules_refused",
    `Cannot change rules: "${program}" ended with ${result.exitCode}: ${said}`,
    { next: "Compare with proxy-init --dry-run" },
  );
}

const unsupported =
  /table does not exist|can't initialize|couldn't load|protocol not supported|address family not supported|no chain\/target\/match|extension \S+ revision|missing kernel module/i;
