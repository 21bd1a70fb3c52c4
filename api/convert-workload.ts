// The Workload API's records <-> bytes, as the SPIFFE specification numbers them.
import { create, toBinary } from "@bufbuild/protobuf";
import { trustDomainId } from "#/identity/spiffe-id.ts";
import * as wire from "./gen/spiffe/workload_pb.ts";
import type { X509Bundles, X509Svid } from "./workload.ts";

export function encodeX509Svid({ id, chain, privateKey, roots }: X509Svid): Uint8Array {
  const svid = create(wire.X509SVIDSchema, {
    spiffeId: id,
    x509Svid: Buffer.concat(chain),
    x509SvidKey: privateKey,
    bundle: Buffer.concat(roots),
  });
  return toBinary(
    wire.X509SVIDResponseSchema,
    create(wire.X509SVIDResponseSchema, { svids: [svid] }),
  );
}

export function encodeX509Bundles(bundles: X509Bundles): Uint8Array {
  const entries = [...bundles].map(([name, roots]) => [trustDomainId(name), Buffer.concat(roots)]);
  return toBinary(
    wire.X509BundlesResponseSchema,
    create(wire.X509BundlesResponseSchema, { bundles: Object.fromEntries(entries) }),
  );
}
