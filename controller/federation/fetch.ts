// Asks a bundle endpoint for its document, and believes it only when whoever answers proves to be whom the
// profile demands (SPIFFE Federation, section 5.2): by a public certificate for the host's name, or by the
// endpoint's SPIFFE ID under the bundle that is held. No redirect is followed, nothing of an earlier
// connection is used again, and every address is looked at before it is dialled.
import { lookup } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import { request } from "node:https";
import type { RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { PeerCertificate } from "node:tls";
import type { EndpointProfile } from "#/api/federation.ts";
import { toPem } from "#/identity/bundle.ts";
import { documentCharactersMax } from "#/identity/foreign-bundle.ts";
import { readLeaf } from "#/identity/svid.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { isAllowedAddress, isAllowedEndpoint } from "./addresses.ts";
import type { AllowedEndpoints } from "./addresses.ts";
import { FederationError } from "./federation-error.ts";
import type { FederationErrorCode } from "./federation-error.ts";

/** From the name's look-up to the last byte. */
export const fetchTimeoutMs = 10_000;
const httpsPort = 443;

export interface FetchOptions {
  /** https. */
  readonly url: string;
  readonly profile: EndpointProfile;
  /** Of the endpoint's trust domain, DER: what https_spiffe is verified with. */
  readonly roots: readonly Uint8Array[];
  readonly allowed: AllowedEndpoints;
  readonly clock: Clock;
}

/** The document's text; rejects with FederationError. */
export async function fetchBundle(options: FetchOptions): Promise<string> {
  const url = new URL(options.url);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? httpsPort : Number(url.port);
  const { allowed } = options;
  if (!isAllowedEndpoint(host, port, allowed)) {
    throw forbidden(`"${host}:${port}" is not in SIGNET_FEDERATION_ENDPOINTS`);
  }
  // Node asks nobody for the address of an address.
  if (isIP(host) !== 0) checkAddress(host, port, allowed);
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      ...authentication(options),
      agent: false,
      minVersion: "TLSv1.2",
      headers: { accept: "application/json" },
      lookup: guardedLookup(port, allowed),
    });
    const fail = (error: FederationError): void => {
      cancel();
      asked.destroy();
      reject(error);
    };
    const cancel = options.clock.after(fetchTimeoutMs, () => {
      fail(failure("endpoint_unreachable", `no answer within ${fetchTimeoutMs} ms`));
    });
    asked.on("error", (error) => fail(errorOf(error)));
    asked.on("response", (response) => {
      readText(response).then((text) => {
        cancel();
        resolve(text);
      }, fail);
    });
    asked.end();
  });
}

function authentication({ profile, roots }: FetchOptions): RequestOptions {
  switch (profile.kind) {
    case "https_web":
      return profile.roots === null ? {} : { ca: profile.roots };
    case "https_spiffe":
      return {
        ca: roots.map(toPem),
        // The chain is verified before; a name in it means nothing.
        checkServerIdentity: (_host, certificate) => identityFault(certificate, profile.endpointId),
      };
    default:
      return profile satisfies never;
  }
}

function identityFault({ raw }: PeerCertificate, expected: string): Error | undefined {
  try {
    const { id } = readLeaf(raw);
    if (id === expected) return undefined;
    return failure("endpoint_untrusted", `it is "${id}", not "${expected}"`);
  } catch (cause) {
    return failure("endpoint_untrusted", messageOf(cause), cause);
  }
}

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** What a name leads to is looked at as it is dialled: there is no moment in between. */
function guardedLookup(port: number, allowed: AllowedEndpoints) {
  return (host: string, options: LookupOptions, callback: Callback): void => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      try {
        for (const { address } of addresses) checkAddress(address, port, allowed);
      } catch (thrown) {
        return callback(thrown as Error, []);
      }
      if (options.all === true) return callback(null, addresses);
      const [first] = addresses;
      callback(null, first?.address ?? "", first?.family ?? 0);
    });
  };
}

function checkAddress(address: string, port: number, allowed: AllowedEndpoints): void {
  if (isAllowedAddress(address, port, allowed)) return;
  throw forbidden(`"${address}" is of this host, or of its link`);
}

async function readText(response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    throw failure("answer_invalid", `it answers with status ${response.statusCode ?? "unknown"}`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > documentCharactersMax) {
        throw failure("answer_invalid", `it has more than ${documentCharactersMax} bytes`);
      }
      chunks.push(chunk);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (thrown) {
    if (thrown instanceof FederationError) throw thrown;
    throw failure("answer_invalid", messageOf(thrown), thrown);
  }
}

/** By OpenSSL's and Node's own words: which of them say that the other end is not whom it should be. */
function errorOf(error: NodeJS.ErrnoException): FederationError {
  if (error instanceof FederationError) return error;
  const code = error.code ?? "";
  const isTrust = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|ERR_TLS_CERT_)/.test(
    code,
  );
  return failure(isTrust ? "endpoint_untrusted" : "endpoint_unreachable", messageOf(error), error);
}

function forbidden(state: string): FederationError {
  return failure("endpoint_forbidden", state);
}

function failure(code: FederationErrorCode, state: string, cause?: unknown): FederationError {
  return new FederationError(code, `Cannot fetch the bundle: ${state}`, { cause });
}
