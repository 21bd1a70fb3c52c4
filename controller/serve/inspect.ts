// The read API, as JSON over the admin Unix socket and, where it is asked for, a port of the pod's
// loopback: what was issued, who is subscribed, which policy holds where. Whoever may open the socket (its
// owner) or forward a port into the pod may read all of it; nothing here changes anything, and neither
// tokens nor keys are known to it.
import { recordsMax } from "#/ca/ledger/entry.ts";
import type { LedgerRecord } from "#/ca/ledger/entry.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import type { Issuer } from "#/ca/issuer.ts";
import { keyOfMeta } from "#/cluster/events.ts";
import { base64 } from "#/lib/base64.ts";
import type { AdminReply, AdminRoute } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";
import { badRequest, unknownParameter } from "./answers.ts";
import { signetVersion } from "#/lib/version.ts";
import type { Mesh } from "../index/mesh.ts";
import { isInjected, isLive } from "../index/workloads.ts";
import type { DiscoveryHub } from "./discovery.ts";

export interface InspectOptions {
  readonly ledger: Pick<Ledger, "query" | "size">;
  /** The present issuer; throws when there is none that is valid. */
  readonly issuer: () => Issuer;
  readonly hub: Pick<DiscoveryHub, "views">;
  readonly mesh: Mesh;
  /** Of this replica. */
  readonly pod: string;
}

/** The routes, by path. Unknown or unreadable parameters are answered with 400. */
export function inspectRoutes(options: InspectOptions): Readonly<Record<string, AdminRoute>> {
  return {
    "/v1/controller": (url) => unknownParameter(url) ?? json(controllerView(options)),
    "/v1/certificates": (url) => certificates(options, url.searchParams),
    "/v1/proxies": (url) => unknownParameter(url) ?? json({ proxies: options.hub.views() }),
    "/v1/policies": (url) => unknownParameter(url) ?? json(policies(options.mesh)),
  };
}

const certificateParameters: ReadonlySet<string> = new Set([
  "namespace",
  "pod",
  "serial",
  "before",
  "limit",
]);

/** Newest first; `total` counts the whole ledger, `before` reads on from an index. */
function certificates(
  { ledger, issuer, pod: own }: InspectOptions,
  parameters: URLSearchParams,
): AdminReply {
  const unknown = [...parameters.keys()].find((name) => !certificateParameters.has(name));
  if (unknown !== undefined) return badRequest(`parameter "${unknown.slice(0, 80)}" is unknown`);
  const before = wholeNumber(parameters.get("before"));
  const limit = wholeNumber(parameters.get("limit"));
  if (before === null || limit === null) return badRequest("before and limit are whole numbers");
  const namespace = parameters.get("namespace");
  const pod = parameters.get("pod");
  const serial = parameters.get("serial");
  // A name alone is nobody's, and all entries would be looked at for it.
  if (pod !== null && namespace === null) return badRequest("a pod is named with its namespace");
  const records = ledger.query({
    ...(namespace === null ? {} : { namespace }),
    ...(pod === null ? {} : { pod }),
    ...(serial === null ? {} : { serial }),
    ...(before === undefined ? {} : { before }),
    limit: Math.min(limit ?? recordsMax, recordsMax),
  });
  const above = presentChain(issuer);
  return json({
    pod: own,
    total: ledger.size(),
    certificates: records.map((record) => certificateView(record, above)),
  });
}

/** `issuer` is null while there is none that is valid. */
function controllerView({ ledger, issuer, hub, mesh, pod }: InspectOptions): object {
  return {
    pod,
    version: signetVersion,
    trustDomain: mesh.trustDomain,
    issuer: presentIssuer(issuer),
    certificates: ledger.size(),
    proxies: hub.views().length,
  };
}

function presentIssuer(issuer: () => Issuer): object | null {
  try {
    const { serial, notAfter } = issuer();
    return { serial, notAfter: new Date(notAfter).toISOString() };
  } catch {
    return null;
  }
}

interface Chain {
  readonly serial: string;
  readonly certificates: readonly string[];
}

function presentChain(issuer: () => Issuer): Chain | null {
  try {
    const { serial, chain } = issuer();
    return { serial, certificates: chain.map(base64) };
  } catch {
    // An issuer that has ended signs nothing, and what it signed can still be shown.
    return null;
  }
}

/** `chain`: DER in base64, leaf first; the leaf alone when its issuer was an earlier one. */
function certificateView(record: LedgerRecord, above: Chain | null): object {
  const { certificate, ...rest } = record;
  const isPresent = above?.serial === record.issuerSerial;
  return { ...rest, chain: [base64(certificate), ...(isPresent ? above.certificates : [])] };
}

/** The objects, those that nobody can read, and what they come to for each live pod. */
function policies(mesh: Mesh): object {
  return {
    policies: mesh.policies.all().map(({ meta, selector, mode, ports, requiresPostQuantum }) => ({
      namespace: meta.namespace,
      name: meta.name,
      selector,
      mode,
      ports: Object.fromEntries(ports),
      requiresPostQuantum,
    })),
    unreadable: mesh.policies.unreadable(),
    pods: [...mesh.workloads.keys()].sort().flatMap((key) => {
      const pod = mesh.workloads.get(key);
      if (pod === undefined || !isLive(pod)) return [];
      const { mode, ports, requiresPostQuantum, source } = mesh.policies.decide(pod);
      return {
        pod: keyOfMeta(pod.meta),
        isMeshed: isInjected(pod),
        mode,
        ports: Object.fromEntries(ports),
        requiresPostQuantum,
        source,
      };
    }),
  };
}

/** undefined: not given; null: not a whole number. */
function wholeNumber(text: string | null): number | null | undefined {
  if (text === null) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
