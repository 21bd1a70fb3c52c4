// Walks the claims: some one after the other, some beside them for as long as they need. The first
// false one ends the tour; what runs beside it is stopped and cleans up before that.
import { FalseClaim } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";

export interface Stage {
  /** Started at once, awaited at the stage's end. */
  readonly beside: readonly Claim[];
  readonly inOrder: readonly Claim[];
}

export interface TourReport {
  begun(claim: Claim, isBeside: boolean): void;
  confirmed(claim: Claim, evidence: readonly string[], elapsedMs: number): void;
  refuted(claim: Claim, thrown: unknown, elapsedMs: number): void;
}

/** True when every claim held. Rejects only with the reason for which it was stopped from outside. */
export async function runTour(
  context: TourContext,
  stages: readonly Stage[],
  report: TourReport,
): Promise<boolean> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  let isRefuted = false;
  const walk = async (claim: Claim, isBeside: boolean): Promise<void> => {
    if (signal.aborted) return;
    const startedAt = context.clock.monotonic();
    const elapsedMs = (): number => context.clock.monotonic() - startedAt;
    report.begun(claim, isBeside);
    try {
      const evidence = await claim.run({ ...context, signal });
      signal.throwIfAborted();
      report.confirmed(claim, evidence, elapsedMs());
    } catch (thrown) {
      // What fails because another claim was refuted says nothing about itself.
      if (isRefuted) return;
      // A person who stops the tour has not refuted anything.
      const { aborted, reason } = context.signal;
      if (aborted && !(reason instanceof FalseClaim)) throw reason;
      isRefuted = true;
      report.refuted(claim, signal.aborted ? signal.reason : thrown, elapsedMs());
      stop.abort(thrown);
    }
  };
  for (const stage of stages) {
    const beside = stage.beside.map((claim) => walk(claim, true));
    // Looked at only after the others: a fault meanwhile must not go unhandled.
    for (const each of beside) each.catch(() => undefined);
    for (const claim of stage.inOrder) await walk(claim, false);
    await Promise.all(beside);
  }
  return !isRefuted && !context.signal.aborted;
}
