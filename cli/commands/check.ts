// `signet check`: what this machine must have, and how a mesh that runs is doing. Every line that is
// not well says what to do.
import { accessSync, constants } from "node:fs";
import { freemem } from "node:os";
import path from "node:path";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { leftoversOf, missingHere } from "#/local/launch.ts";
import { parseExposition } from "../live/scrape.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import type { Style } from "../paint.ts";
import { formatDuration, printable } from "../text.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { meshOf } from "./context.ts";

export interface Finding {
  readonly area: "machine" | "mesh";
  readonly what: string;
  /** info: neither well nor ill. */
  readonly verdict: "passed" | "failed" | "info";
  /** What to do; empty when nothing is to be done. */
  readonly next: string;
}

const NODE_MAJOR = 26;
/** The mesh with its demo takes some 700 MiB. */
const MEMORY_BYTES_MIN = 1024 ** 3;
const MEBIBYTE = 1024 ** 2;
const tourTools = [
  ["tcpdump", "tcpdump"],
  ["openssl", "openssl"],
] as const;

export async function checkAll(context: CommandContext): Promise<number> {
  const { print, clock } = context;
  const findings = [
    ...checkMachine(),
    ...checkLeftovers(process.getuid?.() === 0 ? leftoversOf(context.names) : []),
    ...(await checkMesh(meshOf(context), clock.now())),
  ];
  const isWell = findings.every(({ verdict }) => verdict !== "failed");
  if (print.format === "json") print.json({ isWell, findings });
  else print.lines(findingsText(findings, print.style));
  return isWell ? EXIT_OK : EXIT_FAILED;
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

function checkMachine(): readonly Finding[] {
  const finding = (isWell: boolean, what: string, next: string): Finding => ({
    area: "machine",
    what,
    verdict: isWell ? "passed" : "failed",
    next: isWell ? "" : next,
  });
  const missing = missingHere();
  const tools = tourTools.map(([tool, debian]) =>
    finding(
      isOnPath(tool),
      isOnPath(tool) ? `${tool} is there, for the tour` : `no "${tool}", the tour needs it`,
      `Install it: apt-get install ${debian}`,
    ),
  );
  const major = Number(process.versions.node.split(".")[0]);
  const free = Math.round(freemem() / MEBIBYTE);
  return [
    finding(
      major >= NODE_MAJOR,
      `Node ${process.versions.node}, OpenSSL ${process.versions.openssl ?? "unknown"}`,
      "Start it as ./signet: it brings its own Node",
    ),
    ...(missing.length === 0
      ? [finding(true, "root, network namespaces and iptables are there", "")]
      : missing.map(({ what, next }) => finding(false, what, next))),
    ...tools,
    finding(
      freemem() >= MEMORY_BYTES_MIN,
      `${free} MiB of memory free`,
      `Free some: the mesh with its demo wants ${MEMORY_BYTES_MIN / MEBIBYTE} MiB`,
    ),
  ];
}

/** A next start clears it away; until then it holds addresses and memory. */
export function checkLeftovers(leftovers: readonly string[]): readonly Finding[] {
  if (leftovers.length === 0) return [];
  const what = `a mesh that crashed has left ${leftovers.join(" and ")}`;
  return [{ area: "machine", what, verdict: "failed", next: "Clear it away: signet local down" }];
}

function isOnPath(tool: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}

/** Health of a mesh; one line that says so when none runs. */
export async function checkMesh(mesh: Mesh, now: number): Promise<readonly Finding[]> {
  const area = "mesh";
  let pods: readonly Pod[];
  try {
    pods = await mesh.pods();
  } catch (error) {
    const next = error instanceof MeshError ? error.next : "";
    return [{ area, what: messageOf(error), verdict: "info", next }];
  }
  const controller = await mesh.inspect("/v1/proxies").then(
    (): Finding => ({ area, what: "the controller answers", verdict: "passed", next: "" }),
    (error: unknown): Finding => ({
      area,
      what: `the controller does not answer: ${messageOf(error)}`,
      verdict: "failed",
      next: "See: signet local logs signet-system/signet-controller",
    }),
  );
  const each = await Promise.all(pods.map((pod) => checkPod(mesh, pod, now)));
  return [controller, ...each];
}

async function checkPod(mesh: Mesh, pod: Pod, now: number): Promise<Finding> {
  const name = podName(pod);
  const finding = (isWell: boolean, state: string): Finding => ({
    area: "mesh",
    what: `${name} ${state}`,
    verdict: isWell ? "passed" : "failed",
    next: isWell ? "" : `See: signet local logs ${name}${pod.isMeshed ? " -c proxy" : ""}`,
  });
  if (!pod.isReady) return finding(false, `is not ready (${pod.phase})`);
  if (!pod.isMeshed) return finding(true, "is ready, without a sidecar");
  try {
    const samples = parseExposition(await mesh.metrics(pod));
    const value = (metric: string): number =>
      samples.find((sample) => sample.name === metric)?.value ?? 0;
    const leftMs = 1000 * value("signet_proxy_certificate_not_after_seconds") - now;
    if (leftMs <= 0) return finding(false, "has no valid certificate");
    if (value("signet_proxy_controller_connected") !== 1) {
      return finding(false, "is not connected to the controller");
    }
    return finding(true, `is ready, its certificate lives ${formatDuration(leftMs)} more`);
  } catch (error) {
    return finding(false, `has a sidecar that does not answer: ${messageOf(error)}`);
  }
}
