// A subject is a proxy that takes part: one process for a hop, two for a pair, in namespaces of its own.
import { chownSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { backendConfig, files } from "./backend.ts";
import { loadCore, plainUid, portsOf, proxyUid, serviceAddress } from "./layout.ts";
import { makeNetwork, redirect } from "./netns.ts";
import type { Network } from "./netns.ts";
import type { Programs } from "./prerequisites.ts";
import { launch } from "./process.ts";
import type { Launched } from "./process.ts";
import type { Work } from "./works.ts";

export interface Bench {
  readonly programs: Programs;
  /** Absolute path of the checkout. */
  readonly projectFolder: string;
  /** Absolute path for files of this run; removed at its end. */
  readonly runFolder: string;
  /** Where our own processes write CPU profiles; null: nowhere. */
  readonly profileFolder: string | null;
  readonly now: () => number;
}

/** The proxies of a subject, up and taking requests or about to. */
export interface Proxies {
  /** Measured: the sidecars, not what stands beside them. */
  readonly measured: readonly Launched[];
  /** Not measured, but has to live: a control plane. */
  readonly others: readonly Launched[];
  readonly accessLogs: readonly string[];
}

export interface StartContext {
  readonly bench: Bench;
  readonly network: Network;
  readonly route: Work["route"];
  /** Of this subject alone; writable by the proxies' user. */
  readonly folder: string;
  /** Disposes in reverse order, also when a later step fails. */
  readonly stack: AsyncDisposableStack;
}

export interface Subject {
  readonly name: string;
  start(context: StartContext): Promise<Proxies>;
}

/** A subject that runs, with backend and network. Disposing stops and removes all of it. */
export interface Running extends AsyncDisposable {
  readonly name: string;
  readonly network: Network;
  readonly proxies: Proxies;
  readonly folder: string;
}

/** Network, redirects, backend, then the subject's own proxies. */
export async function startSubject(
  bench: Bench,
  subject: Subject,
  route: Work["route"],
): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = `${bench.runFolder}/${subject.name}`;
  mkdirSync(folder, { recursive: true });
  chownSync(folder, proxyUid, proxyUid);
  const network = stack.use(makeNetwork(subject.name));
  redirect(network.client, bench.projectFolder);
  if (route === "pair") redirect(network.server, bench.projectFolder);
  startBackend(bench, route === "pair" ? network.server : network.outsider, stack);
  const proxies = await subject.start({ bench, network, route, folder, stack });
  const owned = stack.move();
  return {
    name: subject.name,
    network,
    proxies,
    folder,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function startBackend(bench: Bench, namespace: string, stack: AsyncDisposableStack): void {
  const folder = `${bench.runFolder}/${namespace}`;
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of files) writeFileSync(`${folder}/${name}`, text);
  writeFileSync(`${folder}/backend.conf`, backendConfig(folder));
  chownSync(folder, plainUid, plainUid);
  stack.use(
    launch({
      placement: { namespace, core: loadCore, uid: plainUid },
      command: bench.programs.nginx,
      parameters: ["-c", `${folder}/backend.conf`, "-e", `${folder}/backend.log`],
      folder,
      outputPath: `${folder}/backend.out`,
      errorPath: `${folder}/backend.err`,
    }),
  );
}

/** Empties the access logs: a saturated run writes hundreds of megabytes. */
export function emptyLogs(running: Running): void {
  for (const file of running.proxies.accessLogs) truncateSync(file);
}

/** The URL that a client uses. */
export const clientUrl = ({ route, carries }: Work): string =>
  `http://${serviceAddress[route]}:${portsOf[carries].service}`;
