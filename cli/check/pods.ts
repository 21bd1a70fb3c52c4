// How a mesh that runs is doing, pod by pod.
import { MeshError, messageOf } from "#/lib/errors.ts";
import { parseExposition } from "../live/scrape.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { formatDuration } from "../text.ts";
import { failed, passed, told } from "./findings.ts";
import type { Finding } from "./findings.ts";
import { checkFederation } from "./federation.ts";
import { suspendedFindings, suspendedPod, suspensionsOf } from "./suspended.ts";

/** Health of a mesh; one line that says so when none runs. */
export async function checkMesh(mesh: Mesh, now: number): Promise<readonly Finding[]> {
  let pods: readonly Pod[];
  try {
    pods = await mesh.pods();
  } catch (error) {
    const next = error instanceof MeshError ? error.next : "";
    return [told("mesh", messageOf(error), next)];
  }
  const controller = await mesh.inspect("/v1/proxies").then(
    (): Finding => passed("mesh", "the controller answers"),
    (error: unknown): Finding => {
      const what = `the controller does not answer: ${messageOf(error)}`;
      return failed("mesh", what, `See: ${mesh.logsHint("signet-system/signet-controller", null)}`);
    },
  );
  const federation = controller.verdict === "failed" ? [] : await checkFederation(mesh, now);
  const suspensions = await suspensionsOf(mesh);
  const each = await Promise.all(
    pods.map(async (pod) => suspendedPod(pod, suspensions) ?? checkPod(mesh, pod, now)),
  );
  return [controller, ...federation, ...suspendedFindings(suspensions), ...each];
}

/** A sidecar's own word on how it is, and kubelet's on the pod. */
export async function checkPod(mesh: Mesh, pod: Pod, now: number): Promise<Finding> {
  const name = podName(pod);
  const finding = (isWell: boolean, state: string): Finding => {
    const next = `See: ${mesh.logsHint(name, pod.isMeshed ? "proxy" : null)}`;
    return isWell ? passed("mesh", `${name} ${state}`) : failed("mesh", `${name} ${state}`, next);
  };
  if (!pod.isReady) return finding(false, `is not ready (${pod.phase})`);
  if (!pod.isMeshed) return finding(true, "is ready, without a sidecar");
  try {
    const samples = parseExposition(await mesh.metrics(pod));
    const value = (metric: string): number =>
      samples.find((sample) => sample.name === metric)?.value ?? 0;
    const leftMs = 1000 * value("signet_proxy_certificate_not_after_seconds") - now;
    if (leftMs <= 0) return finding(false, "has no valid certificate");
    if (value("signet_proxy_controller_connected") !== 1) {
      return finding(false, "is not connected to the controller");
    }
    return finding(true, `is ready, its certificate lives ${formatDuration(leftMs)} more`);
  } catch (error) {
    return finding(false, `has a sidecar that does not answer: ${messageOf(error)}`);
  }
}
