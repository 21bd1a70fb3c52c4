// Kubernetes JSON -> minimal records. The API server has checked shapes already, other sources have
// not: so everything is checked here, and what the mesh cannot honour (a regular expression, a filter)
// is refused by name rather than read as something wider. Fields that nothing here looks at are
// ignored. Pure.
import { z } from "#/lib/config.ts";
import { canonicalIp } from "#/lib/ip.ts";
import { DecodeError } from "./decode-error.ts";
import type {
  EndpointSliceRecord,
  FederatedTrustDomainRecord,
  HttpRouteRecord,
  IdentitySuspensionRecord,
  Kind,
  Labels,
  Meta,
  NamespaceRecord,
} from "./events.ts";
import type { PeerAuthenticationRecord, PodRecord, ServiceAccountRecord } from "./events.ts";
import type { ServiceRecord, WorldObject } from "./events.ts";
import { keyOfMeta } from "./events.ts";
import { readRouteSpec } from "./decode-route.ts";

/** Reads one object. Throws DecodeError that names the object and the path of the fault. */
export function decodeObject(value: unknown): WorldObject {
  const head = headShape.safeParse(value);
  if (!head.success) throw fault("", "", head.error);
  const { kind, apiVersion, metadata } = head.data;
  const key = keyOfMeta({ namespace: metadata.namespace ?? "", name: metadata.name });
  const decode = decoders.get(`${apiVersion} ${kind}`);
  if (decode === undefined) throw new DecodeError("unknown_kind", kind, key, "kind is unknown");
  return decode(value, key);
}

/** An object's kind and key as far as they can be told; null when they cannot. */
export function identify(value: unknown): { readonly kind: string; readonly key: string } | null {
  const head = headShape.safeParse(value);
  if (!head.success) return null;
  const { name, namespace } = head.data.metadata;
  return { kind: head.data.kind, key: keyOfMeta({ namespace: namespace ?? "", name }) };
}

const name = z.string().min(1).max(253);
const stringMap = z.record(z.string(), z.string());
const portNumber = z.number().int().min(1).max(65_535);
/** Kubernetes writes null for what is not there as readily as it leaves it out. */
const lax = <Schema extends z.ZodType>(schema: Schema): z.ZodOptional<z.ZodNullable<Schema>> =>
  schema.nullable().optional();

/** RFC 1123, as Kubernetes demands: both become part of an identity. */
const namespaceName = z
  .string()
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/, "not a namespace");
const accountName = z
  .string()
  .max(253)
  .regex(/^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$/, "not a service account name")
  .refine((text) => !/\.\.|\.-|-\./.test(text), "not a service account name");

const metadataShape = z.object({
  name,
  namespace: namespaceName.optional(),
  uid: z.string().max(128).optional(),
  labels: lax(stringMap),
  annotations: lax(stringMap),
  creationTimestamp: lax(z.string()),
  deletionTimestamp: lax(z.string()),
});
const headShape = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: metadataShape,
});
const plainShape = z.object({ metadata: metadataShape });

const podShape = z.object({
  metadata: metadataShape,
  spec: z.object({
    serviceAccountName: lax(accountName),
    nodeName: lax(z.string()),
    hostNetwork: lax(z.boolean()),
  }),
  status: lax(
    z.object({
      podIP: lax(z.string()),
      podIPs: lax(z.array(z.object({ ip: lax(z.string()) }))),
      phase: lax(z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"])),
    }),
  ),
});

const serviceShape = z.object({
  metadata: metadataShape,
  spec: z.object({
    type: lax(z.string()),
    clusterIP: lax(z.string()),
    clusterIPs: lax(z.array(z.string())),
    ports: lax(
      z.array(
        z.object({
          name: lax(z.string()),
          port: portNumber,
          protocol: lax(z.string()),
          targetPort: lax(z.union([z.number(), z.string()])),
          appProtocol: lax(z.string()),
        }),
      ),
    ),
  }),
});

const sliceShape = z.object({
  metadata: metadataShape,
  ports: lax(
    z.array(
      z.object({
        name: lax(z.string()),
        port: lax(portNumber),
        protocol: lax(z.string()),
      }),
    ),
  ),
  endpoints: lax(
    z.array(
      z.object({
        addresses: z.array(z.union([z.ipv4(), z.ipv6()])).min(1),
        conditions: lax(z.object({ ready: lax(z.boolean()) })),
        targetRef: lax(
          z.object({
            kind: lax(z.string()),
            name: lax(z.string()),
            namespace: lax(z.string()),
            uid: lax(z.string()),
          }),
        ),
      }),
    ),
  ),
});

const routeShape = z.object({ metadata: metadataShape, spec: z.unknown() });

const modes = { STRICT: "strict", PERMISSIVE: "permissive", DISABLE: "disable" } as const;
const mtlsShape = z.object({ mode: lax(z.enum(["STRICT", "PERMISSIVE", "DISABLE"])) });
const keyAgreements = { PREFER: false, REQUIRE: true } as const;
const meshMtlsShape = mtlsShape
  .extend({ postQuantum: lax(z.enum(["PREFER", "REQUIRE"])) })
  .refine(({ mode, postQuantum }) => postQuantum !== "REQUIRE" || mode === "STRICT", {
    path: ["postQuantum"],
    message: "REQUIRE needs mode STRICT: this one takes plaintext",
  });
/** A URI of SPIFFE, with or without a path; what it names is judged where trust domains are known. */
const foreignCaller = z
  .string()
  .max(2048)
  .regex(/^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/, "not a SPIFFE ID");

const policyShape = z.object({
  metadata: metadataShape,
  spec: z.object({
    selector: lax(z.strictObject({ matchLabels: stringMap })),
    mtls: lax(meshMtlsShape),
    portLevelMtls: lax(z.record(z.string().regex(/^[1-9]\d{0,4}$/, "not a port"), mtlsShape)),
    foreignCallers: lax(z.array(foreignCaller).max(1_000)),
  }),
});

const federationShape = z.object({
  metadata: metadataShape,
  spec: z.object({
    trustDomain: z.string().min(1).max(255),
    bundleEndpointURL: z.string().min(1).max(2048),
    bundleEndpointProfile: z.object({
      type: z.string().min(1).max(64),
      endpointSPIFFEID: z.string().max(2048).optional(),
      caBundle: z.string().max(131_072).optional(),
    }),
    trustDomainBundle: z.string().max(262_144).optional(),
  }),
});

const suspensionShape = z.object({
  metadata: metadataShape,
  spec: z.object({
    identity: z.string().min(1).max(2048),
    reason: z.string().min(1).max(1024),
  }),
});

/** On an EndpointSlice: the SPIFFE ID that its endpoints must prove, those that are no pods of the mesh. */
export const endpointIdentityAnnotation = "signet.dev/endpoint-identity";

function decoder<Schema extends z.ZodType>(
  kind: Kind,
  shape: Schema,
  build: (value: z.output<Schema>, key: string) => WorldObject,
): (value: unknown, key: string) => WorldObject {
  return (value, key) => {
    const parsed = shape.safeParse(value);
    if (!parsed.success) throw fault(kind, key, parsed.error);
    return build(parsed.data, key);
  };
}

const decoders: ReadonlyMap<string, (value: unknown, key: string) => WorldObject> = new Map([
  ["v1 Namespace", decoder("Namespace", plainShape, toNamespace)],
  ["v1 ServiceAccount", decoder("ServiceAccount", plainShape, toServiceAccount)],
  ["v1 Pod", decoder("Pod", podShape, toPod)],
  ["v1 Service", decoder("Service", serviceShape, toService)],
  ["discovery.k8s.io/v1 EndpointSlice", decoder("EndpointSlice", sliceShape, toSlice)],
  ["gateway.networking.k8s.io/v1 HTTPRoute", decoder("HTTPRoute", routeShape, toRoute)],
  ["signet.dev/v1alpha1 PeerAuthentication", decoder("PeerAuthentication", policyShape, toPolicy)],
  [
    "signet.dev/v1alpha1 IdentitySuspension",
    decoder("IdentitySuspension", suspensionShape, toSuspension),
  ],
  [
    "signet.dev/v1alpha1 FederatedTrustDomain",
    decoder("FederatedTrustDomain", federationShape, toFederation),
  ],
]);

function toNamespace({ metadata }: z.output<typeof plainShape>): NamespaceRecord {
  return { kind: "Namespace", meta: toMeta(metadata) };
}

function toServiceAccount({ metadata }: z.output<typeof plainShape>): ServiceAccountRecord {
  return { kind: "ServiceAccount", meta: toMeta(metadata) };
}

function toPod({ metadata, spec, status }: z.output<typeof podShape>): PodRecord {
  return {
    kind: "Pod",
    meta: toMeta(metadata),
    serviceAccount: orElse(spec.serviceAccountName, "default"),
    addresses: addressesOf(status),
    phase: status?.phase ?? "Unknown",
    node: spec.nodeName ?? "",
    hostNetwork: spec.hostNetwork ?? false,
    terminating: (metadata.deletionTimestamp ?? null) !== null,
  };
}

/** With both families the second address stands in podIPs alone. */
function addressesOf(status: z.output<typeof podShape>["status"]): readonly string[] {
  const all = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)];
  return [...new Set(all.flatMap((text) => (text ? [canonicalIp(text)] : [])))];
}

function toService({ metadata, spec }: z.output<typeof serviceShape>): ServiceRecord {
  const addresses = spec.clusterIPs ?? [spec.clusterIP ?? ""];
  const ports = (spec.ports ?? []).filter(({ protocol }) => isTcp(protocol));
  return {
    kind: "Service",
    meta: toMeta(metadata),
    addresses: addresses.filter((address) => address !== "" && address !== "None").map(canonicalIp),
    external: spec.type === "ExternalName",
    ports: ports.map(({ name, port, targetPort, appProtocol }) => ({
      name: name ?? "",
      port,
      targetPort: targetPort ?? null,
      appProtocol: appProtocol ?? null,
    })),
  };
}

function toSlice(
  { metadata, ports, endpoints }: z.output<typeof sliceShape>,
  key: string,
): EndpointSliceRecord {
  const service = metadata.labels?.["kubernetes.io/service-name"];
  if (service === undefined || service === "") {
    const path = 'metadata.labels["kubernetes.io/service-name"]';
    throw new DecodeError("object_invalid", "EndpointSlice", key, `${path}: is missing`);
  }
  const meta = toMeta(metadata);
  return {
    kind: "EndpointSlice",
    meta,
    service,
    identity: meta.annotations[endpointIdentityAnnotation] ?? null,
    ports: (ports ?? []).flatMap(({ name, port, protocol }) =>
      isTcp(protocol) && typeof port === "number" ? [{ name: name ?? "", port }] : [],
    ),
    endpoints: (endpoints ?? []).map(({ addresses, conditions, targetRef }) => ({
      addresses: addresses.map(canonicalIp),
      ready: conditions?.ready ?? true,
      pod:
        targetRef?.kind === "Pod"
          ? {
              namespace: orElse(targetRef.namespace, meta.namespace),
              name: targetRef.name ?? "",
              uid: targetRef.uid ?? "",
            }
          : null,
    })),
  };
}

function toRoute({ metadata, spec }: z.output<typeof routeShape>, key: string): HttpRouteRecord {
  const meta = toMeta(metadata);
  const read = readRouteSpec(spec, meta);
  if ("parents" in read) return { kind: "HTTPRoute", meta, ...read };
  if ("fault" in read) throw new DecodeError("object_invalid", "HTTPRoute", key, read.fault);
  throw fault("HTTPRoute", key, read, "spec.");
}

function toPolicy(
  { metadata, spec }: z.output<typeof policyShape>,
  key: string,
): PeerAuthenticationRecord {
  const ports = new Map<number, "strict" | "permissive" | "disable">();
  for (const [port, { mode }] of Object.entries(spec.portLevelMtls ?? {})) {
    if (Number(port) > 65_535) {
      const state = `spec.portLevelMtls.${port}: not a port`;
      throw new DecodeError("object_invalid", "PeerAuthentication", key, state);
    }
    if (mode !== undefined && mode !== null) ports.set(Number(port), modes[mode]);
  }
  const { mode, postQuantum } = spec.mtls ?? {};
  return {
    kind: "PeerAuthentication",
    meta: toMeta(metadata),
    selector: spec.selector?.matchLabels ?? null,
    mode: mode === undefined || mode === null ? null : modes[mode],
    ports,
    requiresPostQuantum:
      postQuantum === undefined || postQuantum === null ? null : keyAgreements[postQuantum],
    foreignCallers: spec.foreignCallers ?? null,
  };
}

function toSuspension({
  metadata,
  spec,
}: z.output<typeof suspensionShape>): IdentitySuspensionRecord {
  return { kind: "IdentitySuspension", meta: toMeta(metadata), ...spec };
}

function toFederation({
  metadata,
  spec,
}: z.output<typeof federationShape>): FederatedTrustDomainRecord {
  return { kind: "FederatedTrustDomain", meta: toMeta(metadata), spec };
}

function toMeta(metadata: z.output<typeof metadataShape>): Meta {
  const createdAt = Date.parse(metadata.creationTimestamp ?? "");
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid ?? "",
    labels: plain(metadata.labels),
    annotations: plain(metadata.annotations),
    createdAt: Number.isNaN(createdAt) ? 0 : createdAt,
  };
}

/** Without a prototype: a label may be called "__proto__" or "constructor" (attack case 48). */
function plain(map: Labels | null | undefined): Labels {
  return Object.assign(Object.create(null) as Record<string, string>, map);
}

function isTcp(protocol: string | null | undefined): boolean {
  return orElse(protocol, "TCP") === "TCP";
}

function orElse(text: string | null | undefined, otherwise: string): string {
  return text === undefined || text === null || text === "" ? otherwise : text;
}

function fault(kind: string, key: string, error: z.ZodError, prefix = ""): DecodeError {
  const states = error.issues
    .slice(0, faultsMax)
    .map(
      ({ path, message }) =>
        `${prefix}${path.length === 0 ? "object" : path.join(".")}: ${message}`,
    );
  return new DecodeError("object_invalid", kind, key, states.join("; "));
}

/** Faults told of one object; the first ones say enough. */
const faultsMax = 5;
