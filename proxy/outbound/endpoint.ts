// An endpoint as the balancer sees it: the controller's record with what this sidecar has learned.
// The same object lives on when a snapshot names the endpoint again, so counts and pools survive.
import type { Endpoint } from "#/api/discovery.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";

export interface EndpointState {
  readonly address: string;
  readonly port: number;
  /** What it must prove; null: not in the mesh, plaintext. */
  readonly identity: SpiffeId | null;
  readonly pod: string;
  /** This very pod: dialled locally, since no inbound redirect sees loopback traffic. */
  readonly local: boolean;
  /** "address:port", for logs. */
  readonly name: string;
  activeRequests: number;
  consecutiveFailures: number;
  ejections: number;
  /** Monotonic ms; 0: not ejected. */
  ejectedUntilMs: number;
}

/** A cluster with its endpoints of now; the object lives on, its endpoints are swapped whole. */
export interface ClusterState {
  readonly name: string;
  endpoints: readonly EndpointState[];
}

/** Keeps the states of endpoints by what identifies them: address, port and identity. */
export class EndpointStates {
  #states = new Map<string, EndpointState>();
  #next = new Map<string, EndpointState>();
  readonly #ownAddresses: ReadonlySet<string>;

  constructor(ownAddresses: readonly string[]) {
    this.#ownAddresses = new Set(ownAddresses);
  }

  /** The state of `endpoint`, an old one where there is one. */
  of(endpoint: Endpoint): EndpointState {
    const { address, port, identity, pod } = endpoint;
    const key = `${address}|${port}|${identity ?? ""}`;
    const known = this.#next.get(key) ?? this.#states.get(key);
    const state = known ?? {
      address,
      port,
      identity,
      pod,
      local: this.#ownAddresses.has(address),
      name: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
      activeRequests: 0,
      consecutiveFailures: 0,
      ejections: 0,
      ejectedUntilMs: 0,
    };
    this.#next.set(key, state);
    return state;
  }

  /** Forgets the states that were not asked for since the last call; says which ones are left. */
  settle(): ReadonlySet<EndpointState> {
    this.#states = this.#next;
    this.#next = new Map();
    return new Set(this.#states.values());
  }
}
