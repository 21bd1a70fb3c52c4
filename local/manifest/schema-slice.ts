// EndpointSlices that are written by hand: endpoints of a Service outside of this mesh. Those of pods are
// made here, as a cluster makes them.
import { isIPv4 } from "node:net";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { flag, inert, listOf, oneOf, record, required, text } from "./shape.ts";
import type { Check } from "./shape.ts";
import { dnsName, dnsNameText, metadata, portNumber } from "./schema-words.ts";

export const serviceNameLabel = "kubernetes.io/service-name";
/** As the controller reads it: whom the endpoints have to prove to be. */
export const endpointIdentityAnnotation = "signet.dev/endpoint-identity";

export const endpointSlice: Check = record(
  {
    apiVersion: required(oneOf("discovery.k8s.io/v1")),
    kind: required(text()),
    metadata: required(metadata),
    addressType: required(oneOf("IPv4")),
    ports: required(
      listOf(
        record({
          name: text(dnsName, dnsNameText),
          port: required(portNumber),
          protocol: oneOf("TCP"),
          appProtocol: inert,
        }),
        { min: 1, max: 50 },
      ),
    ),
    endpoints: required(
      listOf(
        record({
          addresses: required(listOf(ipv4, { min: 1, max: 1 })),
          conditions: record({ ready: flag, serving: inert, terminating: inert }),
        }),
        { max: 1000 },
      ),
    ),
  },
  sliceFault,
);

function ipv4(...[value, path, report]: Parameters<Check>): void {
  if (typeof value === "string" && isIPv4(value)) return;
  report({ path, message: "is no IPv4 address", isWarning: false });
}

function sliceFault(slice: Readonly<Record<string, unknown>>): string | null {
  const { labels, annotations } = slice["metadata"] as {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  if (labels?.[serviceNameLabel] === undefined) return `has no label "${serviceNameLabel}"`;
  const identity = annotations?.[endpointIdentityAnnotation];
  if (identity === undefined) return null;
  try {
    parseSpiffeId(identity);
    return null;
  } catch (thrown) {
    return `has annotation "${endpointIdentityAnnotation}", which is refused: ${messageOf(thrown)}`;
  }
}
