// Where the Workload API's methods are found; taken from the schema, so that they cannot drift from it. Apart
// from paths.ts: sidecars that do not serve it do not load it.
import { SpiffeWorkloadAPI } from "./gen/spiffe/workload_pb.ts";

const workload = `/${SpiffeWorkloadAPI.typeName}`;
const { method } = SpiffeWorkloadAPI;
export const fetchX509SvidPath: string = `${workload}/${method.fetchX509SVID.name}`;
export const fetchX509BundlesPath: string = `${workload}/${method.fetchX509Bundles.name}`;
export const fetchJwtSvidPath: string = `${workload}/${method.fetchJWTSVID.name}`;
export const fetchJwtBundlesPath: string = `${workload}/${method.fetchJWTBundles.name}`;
export const validateJwtSvidPath: string = `${workload}/${method.validateJWTSVID.name}`;
