// The Workload API's records <-> bytes, as the SPIFFE specification numbers them.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, JsonObject, MessageShape } from "@bufbuild/protobuf";
import type { JwtFacts } from "#/identity/jwt-svid.ts";
import { trustDomainId } from "#/identity/spiffe-id.ts";
import * as wire from "./gen/spiffe/workload_pb.ts";
import { RpcError } from "./rpc-error.ts";
import type {
  JwtBundles,
  JwtSvid,
  JwtSvidRequest,
  ValidateJwtRequest,
  X509Bundles,
  X509Svid,
} from "./workload.ts";

export function encodeX509Svid(answer: X509Svid): Uint8Array {
  const { id, chain, privateKey, roots, federated } = answer;
  const svid = create(wire.X509SVIDSchema, {
    spiffeId: id,
    x509Svid: Buffer.concat(chain),
    x509SvidKey: privateKey,
    bundle: Buffer.concat(roots),
  });
  return toBinary(
    wire.X509SVIDResponseSchema,
    create(wire.X509SVIDResponseSchema, { svids: [svid], federatedBundles: rootsOf(federated) }),
  );
}

export function encodeX509Bundles(bundles: X509Bundles): Uint8Array {
  return toBinary(
    wire.X509BundlesResponseSchema,
    create(wire.X509BundlesResponseSchema, { bundles: rootsOf(bundles) }),
  );
}

function rootsOf(bundles: X509Bundles): Record<string, Buffer> {
  const entries = [...bundles].map(([name, roots]) => [trustDomainId(name), Buffer.concat(roots)]);
  return Object.fromEntries(entries) as Record<string, Buffer>;
}

export function encodeJwtBundles(bundles: JwtBundles): Uint8Array {
  const entries = [...bundles].map(([name, jwks]) => [trustDomainId(name), Buffer.from(jwks)]);
  return toBinary(
    wire.JWTBundlesResponseSchema,
    create(wire.JWTBundlesResponseSchema, { bundles: Object.fromEntries(entries) }),
  );
}

/** Throws RpcError `invalid_argument`, as every decoder here. */
export function decodeJwtSvidRequest(bytes: Uint8Array): JwtSvidRequest {
  const { audience, spiffeId } = decode(wire.JWTSVIDRequestSchema, bytes);
  return { audiences: audience, id: spiffeId };
}

export function encodeJwtSvids(svids: readonly JwtSvid[]): Uint8Array {
  const messages = svids.map(({ id, token }) =>
    create(wire.JWTSVIDSchema, { spiffeId: id, svid: token }),
  );
  const response = create(wire.JWTSVIDResponseSchema, { svids: messages });
  return toBinary(wire.JWTSVIDResponseSchema, response);
}

export function decodeValidateJwtRequest(bytes: Uint8Array): ValidateJwtRequest {
  const { audience, svid } = decode(wire.ValidateJWTSVIDRequestSchema, bytes);
  return { audience, token: svid };
}

export function encodeJwtFacts({ id, claims }: JwtFacts): Uint8Array {
  const response = create(wire.ValidateJWTSVIDResponseSchema, {
    spiffeId: id,
    claims: claims as JsonObject,
  });
  return toBinary(wire.ValidateJWTSVIDResponseSchema, response);
}

function decode<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new RpcError("invalid_argument", "Cannot serve: the message is malformed", { cause });
  }
}
