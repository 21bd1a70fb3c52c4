// A TLS endpoint as `signet certs` looks at it: where it is, the handshake, and each thing that a sidecar
// demands of it.
import { base64 } from "#/lib/base64.ts";
import { spawn } from "node:child_process";
import { text as readAll } from "node:stream/consumers";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeNamespace } from "#/local/names.ts";
import type { Names } from "#/local/names.ts";
import { ProbeError, probe } from "./probe.ts";
import type { Handshake, ProbeFault, ProbeOptions } from "./probe.ts";

/** What sidecars offer one another, then what the controller speaks, then nothing at all. */
export const protocolsOffered: readonly (readonly string[])[] = [
  ["signet-http/1.1", "signet-tcp"],
  ["h2", "http/1.1"],
  [],
];
export const PROBE_MS_MAX = 10_000;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** "host:port", "10.0.0.1:443", "[::1]:443"; null for anything else. */
export function readEndpoint(text: string): Endpoint | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? 0);
  return match === null || port < 1 || port > 65_535 ? null : { host: match[1] ?? match[2]!, port };
}

/** "namespace/pod:port", as far as it is one: the pod's part and the port. */
export function readPodEndpoint(
  text: string,
): { readonly pod: string; readonly port: number } | null {
  const match = /^([^\s:]+\/[^\s:]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? 0);
  return match === null || port < 1 || port > 65_535 ? null : { pod: match[1]!, port };
}

/** Of the local runtime's pods. */
export function isLocalPod(address: string): boolean {
  return address.startsWith("10.77.") || address.startsWith("fd77:");
}

/** In the network of the mesh on this machine, which only root may enter. Rejects with ProbeError. */
export async function probeFromNode(options: ProbeOptions, names: Names): Promise<Handshake> {
  const namespace = `/run/netns/${nodeNamespace(names)}`;
  if (!existsSync(namespace)) return probe(options);
  const roots = options.roots.map((each) => base64(each));
  const program = fileURLToPath(new URL("probe-main.ts", import.meta.url));
  const quiet = "--disable-warning=ExperimentalWarning";
  const asked = JSON.stringify({ ...options, roots });
  const child = spawn("nsenter", [`--net=${namespace}`, process.execPath, quiet, program, asked], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const failed = new Promise<never>((_resolve, reject) => child.once("error", reject));
  const [out, complaint] = await Promise.race([
    Promise.all([readAll(child.stdout), readAll(child.stderr)]),
    failed,
  ]);
  return answerOf(out, complaint);
}

function answerOf(out: string, complaint: string): Handshake {
  let answer: {
    handshake?: Handshake;
    fault?: { code: ProbeFault; message: string; next: string };
  };
  try {
    answer = JSON.parse(out) as typeof answer;
  } catch (cause) {
    throw new ProbeError("unreachable", `Cannot enter the mesh's network: ${complaint.trim()}`, {
      cause,
      next: "Run this as root",
    });
  }
  if (answer.handshake !== undefined) return answer.handshake;
  const { code, message, next } = answer.fault!;
  throw new ProbeError(code, message, { next });
}

/** One thing that a sidecar demands of a connection that it opens. */
export interface HandshakeCheck {
  readonly code: string;
  readonly demand: string;
  readonly passed: boolean;
  readonly fault: string;
}

/** Beside the rules of chain and leaf, which are identity/inspect.ts's. */
export function judgeHandshake(
  { version, alpn, isResumed, verification }: Handshake,
  expectations: {
    readonly hasRoots: boolean;
    readonly id: string | null;
    readonly expected: string | null;
  },
): readonly HandshakeCheck[] {
  const { hasRoots, id, expected } = expectations;
  const check = (code: string, demand: string, fault: string | null): HandshakeCheck => ({
    code,
    demand,
    passed: fault === null,
    fault: fault ?? "",
  });
  const isMesh = alpn.startsWith("signet-") || alpn === "h2";
  const protocol = alpn === "" ? "none was agreed" : `it is "${alpn}"`;
  return [
    check("tls_failed", "TLS 1.3 is spoken", version === "TLSv1.3" ? null : `it is ${version}`),
    check("session_resumed", "the session is a new one", isResumed ? "it was resumed" : null),
    check("tls_failed", "a protocol of the mesh is agreed", isMesh ? null : protocol),
    ...(hasRoots
      ? [
          check(
            "peer_certificate_untrusted",
            "OpenSSL finds the way to a trusted root",
            verification === "" ? null : verification,
          ),
        ]
      : []),
    ...(expected === null
      ? []
      : [
          check(
            "peer_identity_unexpected",
            `the identity is "${expected}"`,
            id === expected ? null : `it is ${id === null ? "none" : `"${id}"`}`,
          ),
        ]),
  ];
}
