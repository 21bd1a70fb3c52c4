// proxy-init: runs once per pod, before everything else, as root with NET_ADMIN and NET_RAW only, and
// redirects the pod's TCP to its sidecar. It holds no secret, opens no connection, and leaves nothing
// running. rules.ts says what is redirected and why; this file only joins it to the machine.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { ConfigError } from "#/lib/config.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { ApplyError, applyRules } from "./apply.ts";
import type { CommandResult, FamilyOutcome } from "./apply.ts";
import { UsageError, helpText, readInvocation } from "./config.ts";
import type { RedirectConfig } from "./config.ts";
import { refuseHostNetwork } from "./host-network.ts";
import { buildRules, renderRules } from "./rules.ts";

const outputBytesMax = 16 * 1024 * 1024;

const outcomeText: Readonly<Record<FamilyOutcome["outcome"], string>> = {
  changed: "rules written",
  unchanged: "rules already in force, nothing changed",
  no_ipv6_in_kernel: "the kernel has no IPv6, nothing to redirect",
  skipped_unsafe:
    "NOT REDIRECTED: the kernel cannot, and this was asked for; IPv6 bypasses the mesh",
};

function main(): number {
  const invocation = readInvocation(process.argv.slice(2), process.env);
  if (invocation.help) {
    process.stdout.write(helpText);
  } else if (invocation.dryRun) {
    process.stdout.write(dryRunText(invocation.config));
  } else {
    refuseHostNetwork(process.argv.slice(2), process.env);
    // The file is there exactly when the kernel speaks IPv6, also with every address taken away.
    const hasIpv6 = existsSync("/proc/net/if_inet6");
    for (const { family, outcome } of applyRules(invocation.config, hasIpv6, runCommand)) {
      process.stdout.write(`proxy-init: ${family}: ${outcomeText[outcome]}\n`);
    }
  }
  return 0;
}

function dryRunText(config: RedirectConfig): string {
  const ipv4 = renderRules(buildRules(config, "ipv4"));
  const ipv6 = renderRules(buildRules(config, "ipv6"));
  return `# IPv4: iptables-restore --noflush\n${ipv4}\n# IPv6: ip6tables-restore --noflush\n${ipv6}`;
}

function runCommand(program: string, parameters: readonly string[], input: string): CommandResult {
  const result = spawnSync(program, parameters, {
    input,
    encoding: "utf8",
    maxBuffer: outputBytesMax,
    // A fixed language, since the errors are read; a fixed path, since this runs as root.
    env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  if (result.error !== undefined) {
    const missing = (result.error as NodeJS.ErrnoException).code === "ENOENT";
    const exitCode = missing ? null : 1;
    return { exitCode, stdout: "", stderr: result.error.message };
  }
  return { exitCode: result.status ?? 1, stdout: result.stdout, stderr: result.stderr };
}

function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof UsageError || thrown instanceof ConfigError) return 64;
  if (!(thrown instanceof ApplyError)) return 70;
  if (thrown.code === "not_permitted") return 77;
  return thrown.code === "rules_not_in_force" ? 70 : 69;
}

try {
  process.exitCode = main();
} catch (thrown) {
  const next = thrown instanceof MeshError && thrown.next !== "" ? `\n${thrown.next}` : "";
  process.stderr.write(`proxy-init: ${messageOf(thrown)}${next}\n`);
  process.exitCode = exitCodeOf(thrown);
}
