// The cluster of this machine: up from built parts in seconds, down without a trace. Nothing here
// asks what state the last run left: what is there is found, and taken away first.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { httpRouteManifest } from "../build/gateway-api.ts";
import { imagesPart } from "../build/images.ts";
import { kubernetesPart } from "../build/kubernetes.ts";
import { run, succeed } from "../command.ts";
import type { CommandOptions } from "../command.ts";
import { RigError } from "../errors.ts";
import { step } from "../progress.ts";
import {
  containerdSocket,
  hostAddress,
  hostDevice,
  keptFile,
  kubeconfigFile,
  linkPrefixLength,
  logFolder,
  nodeDevice,
  nodeName,
  rigFolder,
  stateFolder,
} from "../settings.ts";
import { writeConfiguration } from "./configuration.ts";
import { createControlGroups, removeControlGroups } from "./control-groups.ts";
import { loadImages } from "./images.ts";
import { restoreKernelSettings, saveKernelSettings } from "./kernel-settings.ts";
import { runningNode, startNodeProcess, stopNodeProcess } from "./node-process.ts";
import { writePki } from "./pki.ts";

/** Each step of the start that is waited for. */
const waitMsMax = 120_000;
const pollMs = 100;

/** True while a cluster that was left up on purpose runs. */
export function isKept(): boolean {
  return existsSync(keptFile) && runningNode() !== null;
}

/** `kept`: left up when this process ends. Whatever was there before is taken down. */
export async function startCluster(kept: boolean): Promise<void> {
  const programs = await kubernetesPart();
  const images = await imagesPart();
  const httpRoute = await httpRouteManifest();
  await stopCluster();
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  await writePki();
  writeConfiguration();
  saveKernelSettings();
  createControlGroups();
  await step("Starting the node", async () => {
    const first = await startNodeProcess(programs, kept);
    await joinToHost(first);
    await until("containerd answers", containerdAnswers);
  });
  const api = step("API server", () => until("the API server answers", apiAnswers));
  await Promise.all([api, loadImages(images)]);
  await step("Node Ready", () => until("the node is there", nodeIsThere));
  await kubectl(["wait", "--for=condition=Ready", `node/${nodeName}`, "--timeout=120s"]);
  await kubectl(["apply", "--server-side", "-f", httpRoute]);
  await kubectl(["apply", "-f", path.join(rigFolder, "parts/coredns/manifest.yaml")]);
  await step("Name server", async () => {
    const rollout = ["rollout", "status", "deployment/coredns", "--timeout=120s"];
    await kubectl(["--namespace=kube-system", ...rollout]);
    const established = ["wait", "--for=condition=Established", "--timeout=60s"];
    await kubectl([...established, "crd/httproutes.gateway.networking.k8s.io"]);
  });
  if (kept) writeFileSync(keptFile, "");
}

/** Takes everything away: processes, mounts, network, control groups, kernel settings, files. */
export async function stopCluster(): Promise<void> {
  if (!existsSync(stateFolder)) return;
  await step("Taking the cluster down", async () => {
    await stopNodeProcess();
    // Its other end went with the node's namespace; one that never got there is still here.
    await run("ip", ["link", "delete", hostDevice]);
    await removeControlGroups();
    restoreKernelSettings();
    rmSync(stateFolder, { recursive: true, force: true });
  });
}

async function joinToHost(firstPid: number): Promise<void> {
  const address = `${hostAddress}/${linkPrefixLength}`;
  const pair = ["link", "add", hostDevice, "type", "veth", "peer", "name", nodeDevice];
  await succeed("ip", [...pair, "netns", String(firstPid)]);
  await succeed("ip", ["address", "add", address, "dev", hostDevice]);
  await succeed("ip", ["link", "set", hostDevice, "up"]);
}

async function containerdAnswers(): Promise<boolean> {
  if (!existsSync(containerdSocket)) return false;
  return (await run("ctr", ["--address", containerdSocket, "version"])).exitCode === 0;
}

async function apiAnswers(): Promise<boolean> {
  const kubectl = path.join(await kubernetesPart(), "kubectl");
  const answer = await run(kubectl, ["get", "--raw", "/readyz"], kubectlOptions());
  return answer.exitCode === 0;
}

async function nodeIsThere(): Promise<boolean> {
  const kubectl = path.join(await kubernetesPart(), "kubectl");
  return (await run(kubectl, ["get", "node", nodeName], kubectlOptions())).exitCode === 0;
}

async function kubectl(parameters: readonly string[]): Promise<void> {
  await succeed(path.join(await kubernetesPart(), "kubectl"), parameters, kubectlOptions());
}

function kubectlOptions(): CommandOptions {
  return { environment: { ...process.env, KUBECONFIG: kubeconfigFile } };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + waitMsMax;
  while (!(await holds())) {
    if (runningNode() === null || performance.now() > end) {
      throw new RigError("not_in_time", `Waited in vain: ${what}`, {
        next: `See the logs in ${logFolder}`,
      });
    }
    await sleep(pollMs);
  }
}
