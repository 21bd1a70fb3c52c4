// HTTPRoute as far as the controller honours it. What it does not is refused here already, with its
// line: a filter or match passed over would make the route wider than it reads.
import { readRouteAnnotations } from "#/cluster/retry-annotation.ts";
import { fault, flag, inert, integer, listOf, oneOf, record, required, text } from "./shape.ts";
import type { Check } from "./shape.ts";
import { dnsName, dnsNameText, metadata, objectNameText, portNumber } from "./schema-words.ts";

const none: Check = (value, path, report) => {
  if (!Array.isArray(value) || value.length > 0) report(fault(path, "is not supported"));
};

/** GEP-2257: "500ms", "1m30s". */
const duration = text(/^(?:\d{1,5}(?:h|m|s|ms)){1,4}$/, "not a duration");

const match = record({
  path: record({
    type: oneOf("Exact", "PathPrefix"),
    value: text(/^\/.{0,1023}$/, "not a path"),
  }),
  method: text(/^[A-Z]{1,16}$/, "not a method"),
  headers: listOf(
    record({
      type: oneOf("Exact"),
      name: required(text(/^[\w!#$%&'*+\-.^`|~]{1,256}$/, "not a header's name")),
      value: required(text()),
    }),
    { max: 16 },
  ),
  queryParams: none,
});

const reference = {
  group: oneOf(""),
  kind: oneOf("Service"),
  name: required(objectNameText),
  namespace: text(dnsName, dnsNameText),
};

const rule = record({
  name: text(),
  matches: listOf(match, { max: 64 }),
  filters: none,
  backendRefs: listOf(
    record({
      ...reference,
      port: required(portNumber),
      weight: integer(0, 1_000_000),
      filters: none,
    }),
    { max: 16 },
  ),
  retry: record({
    codes: listOf(integer(400, 599), { max: 32 }),
    attempts: integer(0, 16),
    backoff: duration,
  }),
  timeouts: record({ request: duration, backendRequest: duration }),
});

/** Retries stand in an annotation where the cluster's channel has no field for them. */
const annotated: Check = (value, path, report) => {
  let isSound = true;
  metadata(value, path, (found) => {
    isSound &&= found.isWarning;
    report(found);
  });
  const { annotations } = Object(value) as { readonly annotations?: Record<string, string> };
  const read = isSound ? readRouteAnnotations(annotations ?? {}) : null;
  if (read !== null && "fault" in read)
    report(fault([...path, "annotations", read.key], read.fault));
};

export const routeShape: Check = record({
  apiVersion: required(oneOf("gateway.networking.k8s.io/v1")),
  kind: required(text()),
  metadata: required(annotated),
  spec: required(
    record({
      parentRefs: required(
        listOf(record({ ...reference, port: portNumber, sectionName: text() }), { max: 32 }),
      ),
      useDefaultGateways: flag,
      rules: listOf(rule, { max: 16 }),
    }),
  ),
  status: inert,
});
