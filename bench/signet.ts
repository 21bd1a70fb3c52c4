// Our own sidecar as a subject, as shipped: the command and flags of its image, the environment that the
// injector writes, identities from our own controller, strict policy, routes with retries.
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { nodeParameters, startControlPlane } from "./control-plane.ts";
import type { ControlPlane } from "./control-plane.ts";
import { proxyUid } from "./layout.ts";
import { launch } from "./process.ts";
import type { Launched } from "./process.ts";
import type { Proxies, StartContext } from "./subject.ts";
import { clientPod, serverPod, sidecarEnvironment } from "./world.ts";
import type { PodFacts } from "./world.ts";

export interface Shape {
  /** Threads that carry traffic. */
  readonly workers: number;
  /** The one core that each sidecar may run on; null: any. */
  readonly core: number | null;
}

/** Starts controller and sidecars; they find each other and are ready some seconds later. */
export async function startSignet(context: StartContext, shape: Shape): Promise<Proxies> {
  const { bench, network, route, folder, stack } = context;
  const plane = await startControlPlane({
    projectFolder: bench.projectFolder,
    folder: `${folder}/control-plane`,
    namespace: network.controller,
    profileFolder: bench.profileFolder,
    now: bench.now,
    stack,
  });
  const placed: readonly (readonly [PodFacts, string])[] = [
    ...(route === "pair" ? [[serverPod, network.server] as const] : []),
    [clientPod, network.client],
  ];
  const measured: Launched[] = [];
  for (const [pod, namespace] of placed) {
    measured.push(stack.use(await startSidecar(context, plane, pod, { namespace, ...shape })));
  }
  const accessLogs = placed.map(([pod]) => `${folder}/${pod.name}/access.log`);
  return { measured, others: [plane.controller], accessLogs };
}

async function startSidecar(
  { bench, folder }: StartContext,
  plane: ControlPlane,
  pod: PodFacts,
  { namespace, workers, core }: Shape & { readonly namespace: string },
): Promise<Launched> {
  const own = `${folder}/${pod.name}`;
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const tokenFile = `${own}/token`;
  writeFileSync(tokenFile, await plane.tokenFor(pod), { mode: 0o400 });
  for (const path of [own, tokenFile]) chownSync(path, proxyUid, proxyUid);
  return launch({
    placement: { namespace, core, uid: proxyUid },
    command: process.execPath,
    parameters: nodeParameters("signet/proxy", own, bench.profileFolder),
    environment: {
      ...sidecarEnvironment(pod, plane.injector),
      // Without a container the two volumes lie elsewhere.
      SIGNET_TOKEN_FILE: tokenFile,
      SIGNET_TRUST_BUNDLE_FILE: plane.bundleFile,
      SIGNET_WORKERS: String(workers),
    },
    folder: bench.projectFolder,
    outputPath: `${own}/access.log`,
    errorPath: `${own}/proxy.err`,
  });
}
