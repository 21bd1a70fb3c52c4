// How many connections a sidecar takes, so that a flood in one direction, or of one caller, leaves room for
// everybody else and descriptors for the streams to the controller. Pure.

/** Each costs memory, some tens of KiB with TLS. */
export const connectionsMaxDefault = 20_000;
/** Kept for the controller's streams, the admin port, kubelet's checks, files and logs. */
export const descriptorsReserved = 512;
/** Even where the system grants next to none. */
const connectionsMin = 16;

export interface ConnectionLimits {
  /** In each direction, open at once. */
  readonly inbound: number;
  readonly outbound: number;
  /** Of one address, inbound. Half: a gateway may rightly bring most of them, and never all. */
  readonly inboundPerSource: number;
}

/**
 * `descriptorsMax`: what the process may have open. Each connection may need another one upstream, in two
 * directions. `asked`: at most so many in each direction. `shares`: among so many workers.
 */
export function connectionLimits(
  descriptorsMax: number,
  asked: number,
  shares = 1,
): ConnectionLimits {
  const affordable = Math.floor((descriptorsMax - descriptorsReserved) / 4);
  const each = Math.max(connectionsMin, Math.min(asked, affordable));
  const share = Math.ceil(each / shares);
  return { inbound: share, outbound: share, inboundPerSource: Math.ceil(share / 2) };
}

/** From the text of /proc/PID/limits: "Max open files", the soft limit. Infinity when it says none. */
export function descriptorsMaxOf(limits: string): number {
  const found = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
  return found === undefined || found === "unlimited" ? Infinity : Number(found);
}
