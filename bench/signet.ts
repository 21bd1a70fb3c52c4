// Our own sidecar as a subject.
import { MeshError } from "#/lib/errors.ts";
import type { Proxies, StartContext } from "./subject.ts";

class SubjectError extends MeshError<"subject_missing"> {}

export async function startSignet(_context: StartContext): Promise<Proxies> {
  throw new SubjectError("subject_missing", "Cannot start signet: not built yet");
}
