// What is started in the suite `startup`, and how each is asked whether it is ready: our processes as
// their images run them, and Envoy.
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeCertificates } from "./certificates.ts";
import type { ControlPlane } from "./control-plane.ts";
import { controllerAddress } from "./control-plane.ts";
import { readEntrypoint } from "./entrypoint.ts";
import { plainUid, proxyCore, proxyUid } from "./layout.ts";
import type { Network } from "./netns.ts";
import { envoyPlan } from "./peers/envoy.ts";
import type { Phase } from "./phases.ts";
import type { StartPlan } from "./start-once.ts";
import type { Bench } from "./subject.ts";
import { clientPod, injectorPod, sidecarEnvironment } from "./world.ts";
import type { PodFacts } from "./world.ts";

export interface StartContext {
  readonly bench: Bench;
  readonly plane: ControlPlane;
  /** Where the control plane is, and whoever calls it. */
  readonly network: Network;
  /** Elsewhere, with the same addresses: for a second controller. */
  readonly apart: Network;
  /** Absolute; of this suite alone. */
  readonly folder: string;
  /** Our source as an image has it. */
  readonly imageTree: string;
}

/** One way to start one thing. */
export interface Start {
  readonly subject: string;
  readonly namespace: string;
  readonly uid: number;
  readonly plan: StartPlan;
  /** Node alone with the same flags, which evaluates nothing; null for what is no Node. */
  readonly bare: StartPlan | null;
  /** What follows the first answer; empty where there is no log to read it from. */
  readonly phases: readonly Phase[];
  /** Before each start, not counted. */
  readonly prepare?: () => void;
}

export const startWorks: Readonly<Record<string, (context: StartContext) => Promise<Start[]>>> = {
  "start-proxy": async (context) => [...(await proxyStarts(context)), await envoyStart(context)],
  "start-controller": async (context) => controllerStarts(context),
  "start-injector": async (context) => injectorStarts(context),
};

/** Known before anything runs, for the command line. */
export const startSubjects: readonly string[] = ["signet", "signet-typed", "envoy"];

const adminPort = 4100;

async function proxyStarts(context: StartContext): Promise<Start[]> {
  const folder = makeFolder(context, "proxy", proxyUid);
  return ours(context, "proxy", {
    folder,
    namespace: context.network.client,
    uid: proxyUid,
    port: adminPort,
    environment: {
      ...sidecarEnvironment(clientPod, context.plane.injector),
      SIGNET_TOKEN_FILE: await writeToken(context, clientPod, folder, proxyUid),
      SIGNET_TRUST_BUNDLE_FILE: context.plane.bundleFile,
    },
    phases: [
      { metric: "issue_ms", endsWith: "certificate issued" },
      { metric: "discovery_ms", endsWith: null },
    ],
  });
}

async function controllerStarts(context: StartContext): Promise<Start[]> {
  const folder = makeFolder(context, "controller", plainUid);
  const data = `${folder}/data`;
  const starts = ours(context, "controller", {
    folder,
    namespace: context.apart.controller,
    uid: plainUid,
    port: 8080,
    environment: context.plane.environmentFor(data),
    phases: [{ metric: "discovery_ms", endsWith: null }],
  });
  // Each time a new ledger.
  const prepare = (): void => {
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    chownSync(data, plainUid, plainUid);
  };
  return starts.map((start) => Object.assign(start, { prepare }));
}

async function injectorStarts(context: StartContext): Promise<Start[]> {
  const folder = makeFolder(context, "injector", plainUid);
  return ours(context, "injector", {
    folder,
    namespace: context.network.outsider,
    uid: plainUid,
    port: 8080,
    environment: {
      SIGNET_CONTROLLER_ADDRESS: controllerAddress,
      SIGNET_TOKEN_FILE: await writeToken(context, injectorPod, folder, plainUid),
      SIGNET_TRUST_BUNDLE_FILE: context.plane.bundleFile,
      // Without a cluster nobody's caBundle is kept.
      SIGNET_WEBHOOK_CONFIGURATION: "",
    },
    phases: [{ metric: "issue_ms", endsWith: null }],
  });
}

interface OurStart extends Pick<Start, "namespace" | "uid" | "phases"> {
  readonly folder: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** As the image runs it, and as it is run without an image: from source that is stripped at each start. */
function ours({ bench, imageTree }: StartContext, image: string, options: OurStart): Start[] {
  const dockerfile = readFileSync(`${bench.projectFolder}/Dockerfile`, "utf8");
  const entrypoint = readEntrypoint(dockerfile, image);
  return [
    ourStart("signet", imageTree, entrypoint, options),
    ourStart("signet-typed", bench.projectFolder, commandOfTyped(entrypoint), options),
  ];
}

function commandOfTyped(entrypoint: readonly string[]): readonly string[] {
  return entrypoint.filter((word) => !word.startsWith("--import="));
}

function ourStart(
  subject: string,
  workingFolder: string,
  command: readonly string[],
  { folder, namespace, uid, phases, port, environment }: OurStart,
): Start {
  // The folder stands for the volumes of whoever may write to those alone.
  const volumes = command.includes("--permission") ? [`--allow-fs-write=${folder}`] : [];
  const parameters = [...volumes, ...command];
  const common = {
    command: process.execPath,
    folder: workingFolder,
    core: proxyCore,
    logPath: `${folder}/log`,
  };
  const bare = [...parameters.slice(0, -1), "--eval", ""];
  return {
    subject,
    namespace,
    uid,
    phases,
    plan: { ...common, parameters, environment, ready: { port, path: "/readyz" } },
    bare: { ...common, parameters: bare, environment: {}, ready: null },
  };
}

/** One end of a pair: certificates and configuration are files, nobody is asked for anything. */
async function envoyStart(context: StartContext): Promise<Start> {
  const { bench, network } = context;
  const folder = makeFolder(context, "envoy", proxyUid);
  await writeCertificates(folder, bench.now());
  const { files, command, parameters } = envoyPlan(
    bench.programs.envoy,
    { path: folder },
    "out",
    "http1",
  );
  const admin = { address: { socket_address: { address: "127.0.0.1", port_value: adminPort } } };
  for (const { name, text } of files) {
    const bootstrap = JSON.parse(text) as Readonly<Record<string, unknown>>;
    writeFileSync(`${folder}/${name}`, JSON.stringify({ ...bootstrap, admin }));
  }
  return {
    subject: "envoy",
    namespace: network.client,
    uid: proxyUid,
    phases: [],
    plan: {
      command,
      parameters,
      environment: {},
      folder,
      core: proxyCore,
      ready: { port: adminPort, path: "/ready" },
      logPath: `${folder}/log`,
    },
    bare: null,
  };
}

function makeFolder({ folder }: StartContext, name: string, uid: number): string {
  const own = `${folder}/${name}`;
  mkdirSync(own, { recursive: true, mode: 0o755 });
  chownSync(own, uid, uid);
  return own;
}

async function writeToken(
  { plane }: StartContext,
  pod: PodFacts,
  folder: string,
  uid: number,
): Promise<string> {
  const file = `${folder}/token`;
  writeFileSync(file, await plane.tokenFor(pod), { mode: 0o400 });
  chownSync(file, uid, uid);
  return file;
}
