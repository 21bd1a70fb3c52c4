// The read API, for people through the command line: what was issued, who is subscribed, which policies
// hold. JSON on the admin Unix socket, whose file mode is the guard. Nothing here changes anything.
import { json } from "#/lib/admin.ts";
import type { AdminRoute } from "#/lib/admin.ts";
import type { Ledger } from "#/ca/ledger.ts";
import type { Mesh } from "../index/mesh.ts";
import type { DiscoveryHub } from "./discovery.ts";

export interface InspectOptions {
  readonly ledger: Ledger;
  readonly mesh: Mesh;
  readonly hub: DiscoveryHub;
  /** DER: the present issuer and what leads from it to the root. */
  readonly issuerChain: () => readonly Uint8Array[];
}

export function inspectRoutes(options: InspectOptions): Readonly<Record<string, AdminRoute>> {
  const { ledger, mesh, hub, issuerChain } = options;
  return {
    "/v1/certificates": (url) => {
      const namespace = url.searchParams.get("namespace");
      const pod = url.searchParams.get("pod");
      const limit = url.searchParams.get("limit");
      const records = ledger.query({
        ...(namespace === null ? {} : { namespace }),
        ...(pod === null ? {} : { pod }),
        ...(limit === null ? {} : { limit: Number(limit) }),
      });
      const above = issuerChain().map(base64);
      return json({
        certificates: records.map(({ certificate, ...record }) => ({
          ...record,
          chain: [base64(certificate), ...above],
        })),
      });
    },
    "/v1/proxies": () => json({ proxies: [...hub.views()] }),
    "/v1/policies": () => json({ policies: mesh.allPolicies() }),
  };
}

function base64(der: Uint8Array): string {
  return Buffer.from(der).toString("base64");
}
