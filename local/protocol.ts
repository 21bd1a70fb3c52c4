// What runtime and client say to one another over the control socket, as records.

export interface ContainerView {
  readonly name: string;
  readonly pid: number;
  readonly restarts: number;
  readonly running: boolean;
  /** All that it wrote, over all of its runs; root may read it. */
  readonly logFile: string;
}

export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  readonly serviceAccount: string;
  /** Its network namespace, below /run/netns, and its link in the node's. */
  readonly networkNamespace: string;
  readonly link: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly meshed: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly ContainerView[];
}

export interface Status {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly phase: "starting" | "ready" | "failed" | "stopping";
  readonly reason: string;
  /** What to do about the reason; empty when there is none. */
  readonly next: string;
  readonly nodeNamespace: string;
  /** Of its identities. */
  readonly trustDomain: string;
  readonly pods: readonly PodView[];
}

/** One step of bringing the mesh up. */
export interface Progress {
  readonly step: string;
  readonly detail: string;
  readonly state: "begun" | "done" | "failed";
  readonly atMs: number;
}

export interface ExecRequest {
  /** "namespace/name", or a part of it that only one pod has. */
  readonly pod: string;
  readonly container?: string;
  readonly command: readonly string[];
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ContainerRequest {
  readonly pod: string;
  readonly container?: string;
  readonly action: "stop" | "kill" | "start";
}

export interface ObjectReference {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface FailureBody {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}
