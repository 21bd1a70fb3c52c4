// What goes through the API server into a pod: commands in its containers, connections to its ports. By
// @kubernetes/client-node, which speaks the WebSocket protocols of both; none of its types cross.
import { Duplex, PassThrough, Writable } from "node:stream";
import { Exec, PortForward } from "@kubernetes/client-node";
import { messageOf } from "#/lib/errors.ts";
import type { KubeconfigChoice } from "./kubeconfig.ts";
import { loadKubeconfig } from "./kubeconfig.ts";
import { KubernetesError } from "./kubernetes-error.ts";

export interface PodPlace {
  readonly namespace: string;
  readonly pod: string;
}

export interface CommandEnd {
  /** null: nobody waited for its end. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface ExecuteOptions {
  readonly signal?: AbortSignal;
  /** As it comes. */
  readonly onStderr?: (text: string) => void;
}

export interface PodStreams {
  /**
   * Runs it in the container and resolves at its end, or with what it has written when `signal` aborts; the
   * command then goes on unheard. Rejects with KubernetesError.
   */
  execute(
    place: PodPlace & { readonly container: string },
    command: readonly string[],
    options?: ExecuteOptions,
  ): Promise<CommandEnd>;
  /** A connection to a port of the pod's loopback. Rejects with KubernetesError. */
  connect(place: PodPlace, port: number): Promise<Duplex>;
}

/** Of each output of a command; what comes after it is left out. */
const outputBytesMax = 128 * 1024 * 1024;

/** What the library opens; no more of it is used than this. */
interface Socket {
  readonly close: () => void;
  readonly addEventListener: (name: "close", listener: () => void) => void;
}

/** Throws KubernetesError when the kubeconfig cannot be used. */
export function openPodStreams(choice: KubeconfigChoice): PodStreams {
  const config = loadKubeconfig(choice);
  return {
    execute: (place, command, options = {}) => execute(new Exec(config), place, command, options),
    connect: (place, port) => connect(new PortForward(config), place, port),
  };
}

async function execute(
  exec: Exec,
  { namespace, pod, container }: PodPlace & { readonly container: string },
  command: readonly string[],
  { signal, onStderr }: ExecuteOptions,
): Promise<CommandEnd> {
  const what = `run "${command[0] ?? ""}" in ${namespace}/${pod}`;
  const [stdout, stderr] = [new Collected(), new Collected(onStderr)];
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  // It may settle before anybody waits for it.
  promise.catch(() => undefined);
  const socket = await opening(what, () =>
    exec.exec(namespace, pod, container, [...command], stdout, stderr, null, false, (status) => {
      const code = exitCodeOf(status);
      if (code === null) reject(refused(what, status.message ?? "no exit code"));
      else resolve(code);
    }),
  );
  socket.addEventListener("close", () => reject(refused(what, "the connection was cut")));
  const abort = (): void => {
    resolve(null);
    socket.close();
  };
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    return { exitCode: await promise, stdout: stdout.bytes(), stderr: stderr.bytes() };
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function connect(
  forward: PortForward,
  { namespace, pod }: PodPlace,
  port: number,
): Promise<Duplex> {
  const what = `reach port ${port} of ${namespace}/${pod}`;
  const toPod = new PassThrough();
  const connection = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      toPod.write(chunk, () => done());
    },
    final(done) {
      toPod.end(done);
    },
  });
  const fromPod = sink((chunk) => void connection.push(chunk));
  const faults = sink((chunk) => {
    connection.destroy(refused(what, chunk.toString("utf8").trim()));
  });
  const socket = await opening(what, () =>
    forward.portForward(namespace, pod, [port], fromPod, faults, toPod),
  );
  socket.addEventListener("close", () => {
    if (!connection.destroyed) connection.push(null);
  });
  connection.once("close", () => socket.close());
  return connection;
}

function sink(take: (chunk: Buffer) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      // The first bytes of each stream are the port's number alone: nothing is left of them.
      if (chunk.length > 0) take(chunk);
      done();
    },
  });
}

/** The library rejects with an event instead of an error when it gets no connection. */
async function opening(what: string, open: () => Promise<unknown>): Promise<Socket> {
  try {
    return (await open()) as Socket;
  } catch (thrown) {
    const told = (thrown as { readonly message?: unknown } | null)?.message;
    throw refused(what, typeof told === "string" ? told : messageOf(thrown), thrown);
  }
}

interface ExecStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { reason?: string; message?: string }[] };
}

/** null: it was not run. */
function exitCodeOf({ status, details }: ExecStatus): number | null {
  if (status === "Success") return 0;
  const cause = details?.causes?.find(({ reason }) => reason === "ExitCode")?.message ?? "";
  return /^\d{1,3}$/.test(cause) ? Number(cause) : null;
}

function refused(what: string, state: string, cause?: unknown): KubernetesError {
  const isDenied = /\b403\b/.test(state);
  return new KubernetesError(isDenied ? "denied" : "unavailable", `Cannot ${what}: ${state}`, {
    next: isDenied
      ? "Ask for pods/exec and pods/portforward in that namespace"
      : "See that the pod runs, and try again",
    cause,
  });
}

class Collected extends Writable {
  readonly #chunks: Buffer[] = [];
  #length = 0;
  readonly #onText: (text: string) => void;

  constructor(onText: (text: string) => void = () => undefined) {
    super();
    this.#onText = onText;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#onText(chunk.toString("utf8"));
    if (this.#length + chunk.length <= outputBytesMax) this.#chunks.push(chunk);
    this.#length += chunk.length;
    done();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
