// Issues over the network: a load generator in the client's namespace, on the load's core, and the CPU of
// whoever answers, counted from the moment when the generator has connected.
import { chownSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { MeshError } from "#/lib/errors.ts";
import { loadCore, plainUid } from "./layout.ts";
import { measuringLine } from "./load.ts";
import { cpuMicroseconds, descendants, runPlaced } from "./process.ts";
import type { Launched } from "./process.ts";
import type { Saturated } from "./saturate.ts";

class IssuerError extends MeshError<"issuer_silent"> {}

export interface IssueLoad {
  /** Network namespace that the requests come from. */
  readonly namespace: string;
  /** A program of ours: its one parameter is a JSON file with `plan` and `calls`. */
  readonly script: string;
  readonly plan: object;
  readonly planFile: string;
  readonly answering: Launched;
}

const startDeadlineMs = 20_000;
const probePauseMs = 250;

/** Issues `calls` certificates. Rejects rather than issuing fewer. */
export async function issueOverNetwork(load: IssueLoad, calls: number): Promise<Saturated> {
  writeFileSync(load.planFile, JSON.stringify({ ...load.plan, calls }), { mode: 0o400 });
  chownSync(load.planFile, plainUid, plainUid);
  const spent = (): number => cpuMicroseconds(descendants(load.answering.pid));
  let before = 0;
  let startedMs = 0;
  await runPlaced(
    { namespace: load.namespace, core: loadCore, uid: plainUid },
    process.execPath,
    [load.script, load.planFile],
    (line) => {
      if (line !== measuringLine) return;
      before = spent();
      startedMs = performance.now();
    },
  );
  return {
    cpuUs: (spent() - before) / calls,
    perSecond: (calls * 1000) / (performance.now() - startedMs),
  };
}

/** Resolves when it has issued once. Rejects with what it said last when it does not. */
export async function awaitIssuer(load: IssueLoad): Promise<void> {
  const { answering } = load;
  const deadline = performance.now() + startDeadlineMs;
  for (;;) {
    try {
      await issueOverNetwork(load, 1);
      return;
    } catch (error) {
      if (answering.hasEnded() || performance.now() > deadline) {
        const state = `${String(error)}; it said: ${answering.lastWords()}`;
        throw new IssuerError("issuer_silent", `Cannot measure issuing: ${state}`);
      }
    }
    await delay(probePauseMs);
  }
}
