// The two small programs that run inside the cluster beside ours: its name server, and what holds a
// pod's namespaces.
import { goPart } from "./go-module.ts";

export function corednsPart(): Promise<string> {
  return goPart({ name: "coredns", requires: { "github.com/coredns/coredns": "v1.14.7" } });
}

export function pausePart(): Promise<string> {
  return goPart({ name: "pause", requires: {} });
}
