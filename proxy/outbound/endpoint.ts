// An endpoint as the balancer sees it: the controller's record with what this sidecar has learned.
// The same object lives on when a snapshot names the endpoint again, so counts and pools survive.
import type { Endpoint } from "#/api/discovery.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { formatHostPort } from "#/lib/ip.ts";

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

interface Use {
  readonly state: EndpointState;
  /** Clusters that name it. */
  count: number;
}

/** Keeps the states of endpoints by what identifies them: address, port and identity. */
export class EndpointStates {
  readonly #uses = new Map<string, Use>();
  readonly #live = new Set<EndpointState>();
  readonly #ownAddresses: ReadonlySet<string>;

  constructor(ownAddresses: readonly string[]) {
    this.#ownAddresses = new Set(ownAddresses);
  }

  /** Those that some cluster names: always the present ones. */
  get live(): ReadonlySet<EndpointState> {
    return this.#live;
  }

  /** The state of `endpoint`, an old one where there is one; released as often as it was acquired. */
  acquire(endpoint: Endpoint): EndpointState {
    const key = keyOf(endpoint);
    const there = this.#uses.get(key);
    if (there !== undefined) {
      there.count += 1;
      return there.state;
    }
    const state = this.#create(endpoint);
    this.#uses.set(key, { state, count: 1 });
    this.#live.add(state);
    return state;
  }

  release(state: EndpointState): void {
    const key = keyOf(state);
    const use = this.#uses.get(key);
    if (use === undefined) return;
    use.count -= 1;
    if (use.count > 0) return;
    this.#uses.delete(key);
    this.#live.delete(state);
  }

  #create({ address, port, identity, pod }: Endpoint): EndpointState {
    return {
      address,
      port,
      identity,
      pod,
      local: this.#ownAddresses.has(address),
      name: formatHostPort(address, port),
      activeRequests: 0,
      consecutiveFailures: 0,
      ejections: 0,
      ejectedUntilMs: 0,
    };
  }
}

function keyOf({ address, port, identity }: Endpoint): string {
  return `${address}|${port}|${identity ?? ""}`;
}
