// Where the methods are found; taken from the schemas, so that they cannot drift from them.
import { Discovery } from "./gen/discovery_pb.ts";
import { Identity } from "./gen/identity_pb.ts";

export const issuePath: string = `/${Identity.typeName}/${Identity.method.issue.name}`;
export const issueJwtPath: string = `/${Identity.typeName}/${Identity.method.issueJwt.name}`;
export const subscribePath: string = `/${Discovery.typeName}/${Discovery.method.subscribe.name}`;
