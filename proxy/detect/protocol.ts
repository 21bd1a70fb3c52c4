// One verdict on the first bytes of a connection: whom they are for. Used with peekFirstBytes
// (proxy/net/first-bytes.ts); null asks for more bytes.
import { CLIENT_HELLO_BYTES_MAX, readClientHello } from "./client-hello.ts";
import { detectHttp } from "./http.ts";

/** More bytes than this never come back as null. */
export const DETECT_BYTES_MAX: number = CLIENT_HELLO_BYTES_MAX;

/** What sidecars offer each other (`signet-h2`, `signet-http/1.1`, `signet-tcp`); no application does. */
const MESH_PREFIX = "signet-";

export type DetectedProtocol =
  | TlsProtocol
  /** Begins as a TLS handshake and breaks its rules: to be closed, not passed on. */
  | { readonly kind: "malformed_tls" }
  | { readonly kind: "http1" }
  /** HTTP/2 with prior knowledge. */
  | { readonly kind: "http2" }
  | { readonly kind: "other" };

interface TlsProtocol {
  readonly kind: "tls";
  /** Another sidecar: all protocols offered are the mesh's. Otherwise an application's own TLS. */
  readonly mesh: boolean;
  readonly alpn: readonly string[];
  readonly serverName: string | null;
  /** Code points of the groups that it offers for agreeing on keys. */
  readonly groups: readonly number[];
}

const MALFORMED: DetectedProtocol = { kind: "malformed_tls" };
const HTTP1: DetectedProtocol = { kind: "http1" };
const HTTP2: DetectedProtocol = { kind: "http2" };
const OTHER: DetectedProtocol = { kind: "other" };

/** `bytes` begin at the first byte of the connection. The same answer however they are cut. */
export function detectProtocol(bytes: Buffer): DetectedProtocol | null {
  const hello = readClientHello(bytes);
  switch (hello.kind) {
    case "client_hello": {
      const { alpn, serverName, groups } = hello;
      const mesh = alpn.length > 0 && alpn.every((name) => name.startsWith(MESH_PREFIX));
      return { kind: "tls", mesh, alpn, serverName, groups };
    }
    case "malformed":
      return MALFORMED;
    case "more":
      return null;
    case "not_tls":
      return detectPlain(bytes);
    default:
      return hello satisfies never;
  }
}

function detectPlain(bytes: Buffer): DetectedProtocol | null {
  const verdict = detectHttp(bytes);
  switch (verdict) {
    case "http1":
      return HTTP1;
    case "http2_preface":
      return HTTP2;
    case "not_http":
      return OTHER;
    case null:
      return null;
    default:
      return verdict satisfies never;
  }
}
