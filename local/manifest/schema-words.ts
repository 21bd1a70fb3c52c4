// Words that several kinds share: names, labels, ports, metadata.
import { inert, integer, listOf, mapOf, record, required, text } from "./shape.ts";
import type { Check } from "./shape.ts";

/** RFC 1123: what a DNS label allows; namespaces, containers, volumes, Services. */
export const dnsName: RegExp = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
export const dnsNameText = "not a lower-case DNS label of at most 63 characters";
/** Names of most objects: labels with dots between them. */
const objectName =
  /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
export const portName: RegExp = /^(?=.*[a-z])[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/;

export const portNumber: Check = integer(1, 65_535);
export const labels: Check = mapOf(text(labelValue, "not a label's value"));
export const objectNameText: Check = text(objectName, "not the name of an object");

export const metadata: Check = record({
  name: required(objectNameText),
  namespace: text(dnsName, dnsNameText),
  labels,
  annotations: mapOf(text()),
  // As `kubectl get -o yaml` writes them out.
  uid: inert,
  resourceVersion: inert,
  generation: inert,
  creationTimestamp: inert,
  managedFields: inert,
  ownerReferences: listOf(inert),
});
