// Who may not speak, said before anybody wonders why: neither well nor ill, since somebody wanted it.
import { readSuspensions, suspensionKind } from "../identity/suspension.ts";
import type { Suspension } from "../identity/suspension.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { shortIdentity } from "../text.ts";
import { told } from "./findings.ts";
import type { Finding } from "./findings.ts";

/** None where the kind is not known, or nobody may read it. */
export async function suspensionsOf(mesh: Pick<Mesh, "objects">): Promise<readonly Suspension[]> {
  return readSuspensions(await mesh.objects(suspensionKind).catch(() => []));
}

export function suspendedFindings(suspensions: readonly Suspension[]): readonly Finding[] {
  return suspensions.map(({ identity, reason }) =>
    told(
      "mesh",
      `${identity} is suspended: ${reason}`,
      `To take it back: signet identity resume ${shortIdentity(identity)}`,
    ),
  );
}

/** What is to be said of a pod of one of them; null of any other. */
export function suspendedPod(pod: Pod, suspensions: readonly Suspension[]): Finding | null {
  const path = `/ns/${pod.namespace}/sa/${pod.serviceAccount}`;
  const isIts = pod.isMeshed && suspensions.some(({ identity }) => identity.endsWith(path));
  return isIts ? told("mesh", `${podName(pod)} is cut off: its identity is suspended`, "") : null;
}
