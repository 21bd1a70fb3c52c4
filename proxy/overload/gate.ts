// What stands in front of new work in one direction: asked once for each request and each connection, so a
// comparison and an addition.
import { CALM } from "./pressure.ts";
import type { Pressure, PressureCause } from "./pressure.ts";

/** What log and metric say of whatever a gate refused. */
export const overloaded = "overloaded";

/** Written by whoever samples, read by the gates. */
export interface PressureReading {
  level: Pressure;
  cause: PressureCause | null;
  /** New work since the last sample, refused too. */
  arrivals: number;
}

export class Gate {
  readonly #reading: PressureReading;
  readonly #refusesFrom: Pressure;

  /** Refuses from this pressure on. */
  constructor(reading: PressureReading, refusesFrom: Pressure) {
    this.#reading = reading;
    this.#refusesFrom = refusesFrom;
  }

  /** Counts new work; false: it is to be refused. */
  admits(): boolean {
    const reading = this.#reading;
    reading.arrivals += 1;
    return reading.level < this.#refusesFrom;
  }

  /**
   * Whether what is refused should also be closed. Memory is freed by that. A late loop is only made later: the
   * caller would come back, and a handshake costs as much as some forty requests.
   */
  get shedsConnections(): boolean {
    return this.#reading.cause === "memory";
  }
}

/** Refuses nothing. */
export function openGate(): Gate {
  return new Gate({ level: CALM, cause: null, arrivals: 0 }, 1);
}
