// What one controller sees of a rotation: which of its sidecars work with the bundle of the present step,
// and whose certificates hang from the intermediate in force. Several controllers put their readings
// together; who stands in none of them has not been seen. Pure.
import type { Rotation } from "#/ca/rotation/record.ts";

/** A sidecar with a stream to this controller. */
export interface ProxyReading {
  /** "namespace/name". */
  readonly pod: string;
  readonly uid: string;
  /** It acknowledged the bundle as it is now. */
  readonly hasBundle: boolean;
  /** The certificate that its stream was opened with hangs from the intermediate in force. */
  readonly hasLeaf: boolean;
  /** When its stream was opened, milliseconds since the Unix epoch. */
  readonly since: number;
  /** Version of the bundle that it last acknowledged; null: of none. */
  readonly bundle: string | null;
}

/** One of the mesh's own pods that has a certificate without a sidecar; by the log. */
export interface HolderReading {
  readonly pod: string;
  readonly uid: string;
  readonly hasLeaf: boolean;
  readonly issuedAt: number;
  readonly notAfter: number;
}

export interface Reading {
  /** The controller's pod. */
  readonly controller: string;
  /** Empty when it is not told. */
  readonly uid: string;
  /** Of the step that it has taken up, see stepOf. */
  readonly step: string;
  readonly proxies: readonly ProxyReading[];
  readonly holders: readonly HolderReading[];
}

/** Of one reading; more stand in none, and so hold the rotation up. */
export const proxiesPerReadingMax = 5_000;

/** Tells this step from every other of every rotation. */
export function stepOf({ id, step, since }: Rotation): string {
  return `${id} ${step} ${since}`;
}

/** null for what is no reading. */
export function parseReading(text: string): Reading | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { controller, uid, step, proxies, holders } = (value ?? {}) as Partial<Reading>;
  const isReading =
    typeof controller === "string" &&
    typeof uid === "string" &&
    typeof step === "string" &&
    Array.isArray(proxies) &&
    Array.isArray(holders);
  return isReading ? (value as Reading) : null;
}
