// Where the methods are found; taken from the schemas, so that they cannot drift from them.
import { Discovery } from "./gen/discovery_pb.ts";
import { Identity } from "./gen/identity_pb.ts";
import { SpiffeWorkloadAPI } from "./gen/spiffe/workload_pb.ts";

export const issuePath: string = `/${Identity.typeName}/${Identity.method.issue.name}`;
export const subscribePath: string = `/${Discovery.typeName}/${Discovery.method.subscribe.name}`;

const workload = `/${SpiffeWorkloadAPI.typeName}`;
const { method } = SpiffeWorkloadAPI;
export const fetchX509SvidPath: string = `${workload}/${method.fetchX509SVID.name}`;
export const fetchX509BundlesPath: string = `${workload}/${method.fetchX509Bundles.name}`;
