// Executes a probe. The sidecar's own port is asked from the node's address, as a kubelet would. An
// application's port is asked from within the pod (a stand-in: probes through a strict sidecar come
// with the cluster).
import { request } from "node:http";
import { attempt } from "./command.ts";
import type { Probe } from "./pod-spec.ts";

const sidecarAdminPort = 4100;
/** Each probe is a process of its own here: on a busy machine its start alone may take a second. */
const timeoutMsMin = 5_000;

export async function runProbe(probe: Probe, address: string, namespace: string): Promise<boolean> {
  const { kind, port, path, command } = probe;
  const timeoutMs = Math.max(timeoutMsMin, probe.timeoutMs);
  if (kind === "exec") return succeeds(namespace, command, timeoutMs);
  if (port === sidecarAdminPort) return httpOk(address, port, path, timeoutMs);
  const script =
    kind === "tcp"
      ? `exec 3<>/dev/tcp/${address}/${port}`
      : `exec 3<>/dev/tcp/${address}/${port}; printf 'GET ${path} HTTP/1.1\\r\\nhost: probe\\r\\nconnection: close\\r\\n\\r\\n' >&3; read -r _version status _rest <&3; [ "$status" -ge 200 ] && [ "$status" -lt 400 ]`;
  return succeeds(namespace, ["bash", "-c", script], timeoutMs);
}

async function succeeds(
  namespace: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<boolean> {
  const args = [`--net=/run/netns/${namespace}`, ...command];
  return (await attempt("nsenter", args, "", timeoutMs)).code === 0;
}

function httpOk(host: string, port: number, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host, port, path, timeout: timeoutMs, agent: false };
    const call = request(options, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 400);
    });
    call.on("timeout", () => call.destroy(new Error("timeout")));
    call.on("error", () => resolve(false));
    call.end();
  });
}
