// One TLS 1.3 handshake with an endpoint, as a sidecar would begin it but without a certificate of its own,
// and what there was to see of the other end. Judges nothing: see endpoint.ts.
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { X509Certificate } from "node:crypto";
import { toPem } from "#/identity/bundle.ts";
import { MeshError } from "#/lib/errors.ts";

/**
 * unreachable: no connection. no_tls: something else is spoken there, or an older TLS. no_certificate: the
 * other end showed none.
 */
export type ProbeFault = "unreachable" | "no_tls" | "no_certificate";

export class ProbeError extends MeshError<ProbeFault> {}

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  /** Tried one after the other until the other end takes one of the list; the last is mostly none. */
  readonly protocols: readonly (readonly string[])[];
  /** Sent as SNI; null: the host's name, and nothing for an address. */
  readonly serverName: string | null;
  /** DER; empty: nothing is trusted. */
  readonly roots: readonly Uint8Array[];
  readonly timeoutMs: number;
}

/** Plain values: it may come from another process. */
export interface Handshake {
  /** "TLSv1.3" */
  readonly version: string;
  readonly cipher: string;
  /** Of the key exchange, as "X25519MLKEM768". */
  readonly group: string;
  /** Empty when none was agreed. */
  readonly alpn: string;
  readonly isResumed: boolean;
  /** What OpenSSL says of the chain; empty when it leads to one of the roots. */
  readonly verification: string;
  /** DER in base64, leaf first, as it was sent. */
  readonly chain: readonly string[];
  /** From the first packet to the end of the handshake, milliseconds. */
  readonly elapsedMs: number;
}

/** Rejects with ProbeError. */
export async function probe(options: ProbeOptions): Promise<Handshake> {
  let last: unknown;
  for (const protocols of options.protocols) {
    try {
      return await shakeHands(options, protocols);
    } catch (thrown) {
      last = thrown;
      if (!isProtocolRefused(thrown)) break;
    }
  }
  throw faultOf(options, last);
}

function shakeHands(
  { host, port, serverName, roots, timeoutMs }: ProbeOptions,
  protocols: readonly string[],
): Promise<Handshake> {
  const begunAt = performance.now();
  const name = serverName ?? (isIP(host) === 0 ? host : null);
  const options: ConnectionOptions = {
    host,
    port,
    minVersion: "TLSv1.3",
    ca: roots.map(toPem),
    // It is looked at, whoever it is: nothing is sent to it.
    rejectUnauthorized: false,
    // Names prove nothing in a mesh: whose it is, is read from the certificate.
    checkServerIdentity: () => undefined,
    ...(name === null ? {} : { servername: name }),
    ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
  };
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), timeoutMs);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      try {
        resolve(read(socket, performance.now() - begunAt));
      } catch (thrown) {
        reject(thrown);
      }
      socket.destroy();
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("closed in the middle of the handshake"));
    });
  });
}

function read(socket: TLSSocket, elapsedMs: number): Handshake {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) throw new ProbeError("no_certificate", "It shows no certificate");
  const { name, type } = socket.getEphemeralKeyInfo() as { name?: string; type?: string };
  return {
    version: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher().name,
    group: name ?? type ?? "unknown",
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
    isResumed: socket.isSessionReused(),
    verification: socket.authorized ? "" : String(socket.authorizationError),
    chain: chainOf(leaf),
    elapsedMs,
  };
}

/** Longer ones are nobody's. */
const certificatesMax = 16;

function chainOf(leaf: X509Certificate): readonly string[] {
  const chain: string[] = [];
  let next: X509Certificate | undefined = leaf;
  while (next !== undefined && chain.length < certificatesMax) {
    const der = next.raw.toString("base64");
    if (chain.includes(der)) break;
    chain.push(der);
    next = next.issuerCertificate;
  }
  return chain;
}

function isProtocolRefused(thrown: unknown): boolean {
  return /NO_APPLICATION_PROTOCOL/i.test((thrown as NodeJS.ErrnoException).code ?? "");
}

function faultOf({ host, port }: ProbeOptions, thrown: unknown): ProbeError {
  if (thrown instanceof ProbeError) return thrown;
  const { code = "", message } = thrown as NodeJS.ErrnoException;
  const at = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  if (/^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)$/.test(code)) {
    return new ProbeError("unreachable", `Cannot reach ${at}: ${code}`, {
      cause: thrown,
      next: "Ask from where it can be reached; a pod of the mesh on this machine as NAMESPACE/POD:PORT",
    });
  }
  return new ProbeError("no_tls", `Cannot finish a TLS 1.3 handshake with ${at}: ${message}`, {
    cause: thrown,
    next: "See that TLS 1.3 is spoken there at all, and by whom",
  });
}
