// What this machine must have for a mesh without a cluster, and what a mesh that crashed has left.
import { accessSync, constants } from "node:fs";
import { freemem } from "node:os";
import path from "node:path";
import { missingHere } from "#/local/launch.ts";
import { failed, passed } from "./findings.ts";
import type { Finding } from "./findings.ts";

const NODE_MAJOR = 26;
/** The mesh with its demo takes some 700 MiB. */
const MEMORY_BYTES_MIN = 1024 ** 3;
const MEBIBYTE = 1024 ** 2;
const tourTools = [
  ["tcpdump", "tcpdump"],
  ["openssl", "openssl"],
] as const;

export function checkMachine(): readonly Finding[] {
  const finding = (isWell: boolean, what: string, next: string): Finding =>
    isWell ? passed("machine", what) : failed("machine", what, next);
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
  return [failed("machine", what, "Clear it away: signet local down")];
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
