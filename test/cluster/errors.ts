// What can go wrong with the cluster that the tests run on.
import { MeshError } from "#/lib/errors.ts";

export type RigErrorCode =
  | "usage"
  | "prerequisite_missing"
  | "already_running"
  | "command_failed"
  | "digest_mismatch"
  | "not_in_time";

export class RigError extends MeshError<RigErrorCode> {}
