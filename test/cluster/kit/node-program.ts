// Ends a program of the node's own (the API server, kubelet, ...), as a crash would. The node starts it
// again. Only on a cluster of ours.
import { readFileSync } from "node:fs";
import path from "node:path";
import { succeed } from "../command.ts";
import { RigError } from "../errors.ts";
import { runningNode } from "../node/node-process.ts";

export type NodeProgram =
  | "containerd"
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-proxy"
  | "kube-scheduler"
  | "kubelet";

export async function crash(program: NodeProgram): Promise<void> {
  const folder = process.env["SIGNET_TEST_RIG"];
  const first = runningNode();
  if (folder === undefined || first === null) {
    throw new RigError("usage", `Cannot end ${program} of a cluster that is not ours`);
  }
  // Its number counts within the node's namespace of processes.
  const pid = readFileSync(path.join(folder, `${program}.pid`), "utf8").trim();
  const enter = ["--target", String(first), "--pid", "--mount"];
  await succeed("nsenter", [...enter, "bash", "-c", `kill -KILL ${pid}`]);
}
