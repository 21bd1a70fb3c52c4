// What manifests may say without a cluster, kind by kind. Three answers to a field: it is acted on; it
// is inert, because it changes nothing that one machine would do otherwise (resources, pull policies);
// or it is refused, because leaving it out in silence would change what runs.
import { judgeFederation } from "#/api/federation.ts";
import type { FederationSpec } from "#/api/federation.ts";
import { checkForeignCaller } from "#/api/policy.ts";
import { foreignCallersMax } from "#/api/resource-check.ts";
import { judgeSuspension } from "#/api/suspension.ts";
import { messageOf } from "#/lib/errors.ts";
import { endpointSlice } from "./schema-slice.ts";
import { podShape, podSpecShape } from "./schema-pod.ts";
import { routeShape } from "./schema-route.ts";
import {
  either,
  faultsOf,
  flag,
  inert,
  integer,
  listOf,
  mapOf,
  oneOf,
  record,
  required,
  text,
} from "./shape.ts";
import type { Check, Fault } from "./shape.ts";
import { dnsName, dnsNameText, labels, metadata, portName, portNumber } from "./schema-words.ts";

/** More would be more than `podsMax` at once. */
const replicasMax = 100;

const head = { apiVersion: required(text()), kind: required(text()), metadata: required(metadata) };

const templateMetadata = record({
  name: inert,
  namespace: inert,
  creationTimestamp: inert,
  labels,
  annotations: mapOf(text()),
});

const deployment = record({
  ...head,
  spec: required(
    record(
      {
        replicas: integer(0, replicasMax),
        selector: required(record({ matchLabels: required(labels) })),
        template: required(record({ metadata: templateMetadata, spec: required(podSpecShape) })),
        // Rolling, one way: new pods first, old ones when those serve.
        strategy: record({ type: oneOf("RollingUpdate"), rollingUpdate: inert }),
        minReadySeconds: integer(0, 0),
        revisionHistoryLimit: inert,
        progressDeadlineSeconds: inert,
      },
      selectorFault,
    ),
  ),
  status: inert,
});

/** The API server refuses it, too: the Deployment would never find its own pods. */
function selectorFault(spec: Readonly<Record<string, unknown>>): string | null {
  const { matchLabels } = spec["selector"] as { matchLabels: Record<string, string> };
  const { metadata } = spec["template"] as { metadata?: { labels?: Record<string, string> } };
  const wrong = Object.entries(matchLabels).find(
    ([name, value]) => metadata?.labels?.[name] !== value,
  );
  return wrong === undefined
    ? null
    : `selects "${wrong[0]}: ${wrong[1]}", which its template lacks`;
}

const servicePort = record({
  name: text(dnsName, dnsNameText),
  port: required(portNumber),
  targetPort: either(text(portName, "not a port's name"), portNumber),
  protocol: oneOf("TCP"),
  appProtocol: text(/^[\w./-]{1,128}$/),
});

const service = record({
  ...head,
  spec: required(
    record(
      {
        selector: labels,
        ports: required(listOf(servicePort, { min: 1, max: 50 })),
        clusterIP: text(),
        type: oneOf("ClusterIP"),
        ipFamilyPolicy: oneOf("SingleStack"),
        ipFamilies: listOf(oneOf("IPv4")),
        internalTrafficPolicy: oneOf("Cluster"),
        sessionAffinity: oneOf("None"),
        publishNotReadyAddresses: oneOf(false),
      },
      portsFault,
    ),
  ),
  status: inert,
});

function portsFault(spec: Readonly<Record<string, unknown>>): string | null {
  const ports = spec["ports"] as readonly { readonly name?: string; readonly port: number }[];
  const seen = new Set<unknown>();
  for (const { name, port } of ports) {
    if (ports.length > 1 && name === undefined)
      return `has port ${port} without a name among several`;
    if (seen.has(port)) return `has port ${port} twice`;
    if (name !== undefined && seen.has(name)) return `has two ports named "${name}"`;
    seen.add(port).add(name ?? port);
  }
  return null;
}

const modes = required(oneOf("STRICT", "PERMISSIVE", "DISABLE"));
const mode = record({ mode: modes });

const peerAuthentication = record({
  ...head,
  apiVersion: required(oneOf("signet.dev/v1alpha1")),
  spec: required(
    record({
      selector: record({ matchLabels: required(labels) }),
      mtls: meshMtls,
      portLevelMtls: portModes,
      foreignCallers: listOf(foreignCaller, { max: foreignCallersMax }),
    }),
  ),
  status: inert,
});

function meshMtls(...[value, path, report]: Parameters<Check>): void {
  record({ mode: modes, postQuantum: oneOf("PREFER", "REQUIRE") })(value, path, report);
  const given = Object(value) as { readonly mode?: unknown; readonly postQuantum?: unknown };
  if (given.postQuantum !== "REQUIRE" || given.mode === "STRICT") return;
  const message = "REQUIRE needs mode STRICT: this one takes plaintext";
  report({ path: [...path, "postQuantum"], message, isWarning: false });
}

function foreignCaller(...[value, path, report]: Parameters<Check>): void {
  try {
    checkForeignCaller(typeof value === "string" ? value : "");
  } catch (thrown) {
    report({ path, message: `is refused: ${messageOf(thrown)}`, isWarning: false });
  }
}

function portModes(...[value, path, report]: Parameters<Check>): void {
  mapOf(mode)(value, path, report);
  for (const name of Object.keys(Object(value))) {
    if (/^[1-9]\d{0,4}$/.test(name) && Number(name) <= 65_535) continue;
    report({ path: [...path, name], message: "is not a port", isWarning: false });
  }
}

const identitySuspension = record({
  ...head,
  apiVersion: required(oneOf("signet.dev/v1alpha1")),
  spec: required(
    record({
      identity: required(suspendable),
      reason: required(text(/^[^]{1,1024}$/, "not a text of 1 to 1024 characters")),
    }),
  ),
  status: inert,
});

function suspendable(...[value, path, report]: Parameters<Check>): void {
  const verdict = judgeSuspension(typeof value === "string" ? value : "");
  if (verdict.kind === "refused")
    report({ path, message: `is refused: ${verdict.fault}`, isWarning: false });
}

const federatedTrustDomain = record({
  ...head,
  apiVersion: required(oneOf("signet.dev/v1alpha1")),
  spec: required(federation),
  status: inert,
});

function federation(...[value, path, report]: Parameters<Check>): void {
  const faults: Fault[] = [];
  federationShape(value, path, (fault) => faults.push(fault));
  for (const each of faults) report(each);
  if (faults.length > 0) return;
  const verdict = judgeFederation(value as FederationSpec, null);
  if (verdict.kind === "refused")
    report({ path, message: `is refused: ${verdict.fault}`, isWarning: false });
}

const federationShape = record({
  trustDomain: required(text()),
  bundleEndpointURL: required(text()),
  bundleEndpointProfile: required(
    record({
      type: required(oneOf("https_spiffe", "https_web")),
      endpointSPIFFEID: text(),
      caBundle: text(),
    }),
  ),
  trustDomainBundle: text(),
});

const texts = mapOf(text());

const shapes: Readonly<Record<string, Check>> = {
  Namespace: record({ ...head, spec: inert, status: inert }),
  ServiceAccount: record({
    ...head,
    // Nothing is mounted unless a pod asks for it, with or without this.
    automountServiceAccountToken: flag,
    secrets: inert,
    imagePullSecrets: inert,
  }),
  Pod: podShape,
  Deployment: deployment,
  Service: service,
  ConfigMap: record({ ...head, data: texts, binaryData: texts, immutable: flag }),
  Secret: record({ ...head, type: text(), data: texts, stringData: texts, immutable: flag }),
  HTTPRoute: routeShape,
  PeerAuthentication: peerAuthentication,
  IdentitySuspension: identitySuspension,
  FederatedTrustDomain: federatedTrustDomain,
  EndpointSlice: endpointSlice,
};

/** What is run, or handed to the controller; anything else in a manifest is refused. */
export const knownKinds: readonly string[] = Object.keys(shapes);

/** For kubectl and the API server, nothing to run. */
export const passedOverKinds: readonly string[] = ["Kustomization", "CustomResourceDefinition"];

/** Every fault of an object of a known kind. Pure. */
export function objectFaults(kind: string, value: unknown): readonly Fault[] {
  const shape = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (shape !== undefined) return faultsOf(value, shape);
  const message = `is "${kind}", which is not run here; understood are ${knownKinds.join(", ")}`;
  return [{ path: ["kind"], message, isWarning: false }];
}
