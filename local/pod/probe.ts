// Executes a probe. The sidecar's own port is asked from the node's address, as a kubelet would. An
// application's port is asked from within the pod, as nobody, at the pod's own address, which the
// redirect leaves alone: a stand-in, as probes through a strict sidecar come with the cluster.
import { request } from "node:http";
import { attempt } from "../command.ts";
import type { Probe } from "./pod-spec.ts";

const sidecarAdminPort = 4100;
const nobody = "65534";
/** Each probe is a process of its own here: on a busy machine its start alone may take a second. */
const timeoutMsMin = 5_000;

export interface ProbeTarget {
  readonly address: string;
  readonly networkNamespace: string;
  /** Runs a command in the container; says whether it ended with 0. */
  readonly execute: (command: readonly string[], timeoutMs: number) => Promise<boolean>;
}

/** Never rejects: whatever goes wrong is a probe that did not pass. */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<boolean> {
  const { kind, port, path, command } = probe;
  const timeoutMs = Math.max(timeoutMsMin, probe.timeoutMs);
  if (kind === "exec") return target.execute(command, timeoutMs);
  if (port === sidecarAdminPort && kind === "http") {
    return httpOk(target.address, port, path, timeoutMs);
  }
  const [program = "", ...args] = probeCommand(probe, target);
  return (await attempt(program, args, { timeoutMs, environment: {} })).code === 0;
}

// What is asked for comes as arguments: no word of a manifest is ever read as shell.
const tcpScript = 'exec 3<>"/dev/tcp/$1/$2"';
const httpScript = `${tcpScript}
printf 'GET %s HTTP/1.1\\r\\nhost: %s\\r\\nuser-agent: kube-probe\\r\\nconnection: close\\r\\n\\r\\n' "$3" "$1" >&3
read -r _version status _rest <&3
[ "$status" -ge 200 ] && [ "$status" -lt 400 ]`;

/** Pure. Without capabilities and as nobody: probing needs no more. */
export function probeCommand(
  { kind, port, path }: Probe,
  { address, networkNamespace }: Pick<ProbeTarget, "address" | "networkNamespace">,
): readonly string[] {
  return [
    "nsenter",
    `--net=/run/netns/${networkNamespace}`,
    "setpriv",
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
    "bash",
    "-c",
    kind === "tcp" ? tcpScript : httpScript,
    "probe",
    address,
    String(port),
    path,
  ];
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
