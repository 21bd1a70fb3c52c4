// What is measured of hostile volume: many callers that do next to nothing, or nothing but come and go. Pure data.

export interface VolumeWork {
  readonly name: "slowloris" | "idle-10000" | "handshakes";
  readonly connections: number;
  /** How long the hostile part lasts once it has begun, beside the others' measured time. */
  readonly holdS: number;
}

export const volumeWorks: readonly VolumeWork[] = [
  /** Longer than our head timeout of 10 s, so that its end is seen. */
  { name: "slowloris", connections: 1000, holdS: 20 },
  { name: "idle-10000", connections: 10_000, holdS: 8 },
  { name: "handshakes", connections: 16, holdS: 5 },
];

/** Requests per second of the others, who behave. */
export const othersRate = 500;
/** Into the hostile part: by then all slow heads are under way, and none has been cut yet. */
export const othersAfterS = 2;
export const othersMeasuredS = 5;
