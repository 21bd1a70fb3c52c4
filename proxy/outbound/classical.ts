// What becomes of connections outwards when the pod's policy begins to demand post-quantum key agreement.
// New ones are judged as they are made (connector.ts); these were made before.
import type { ProxyMetrics } from "../observe/metrics.ts";
import { isPostQuantum } from "../tls/key-exchange.ts";

export interface Live {
  /** In which its connection to an endpoint agreed on keys; empty: plaintext, or none yet. */
  readonly group: string;
  cut(reason: string): void;
}

/** Cuts those that agreed otherwise, with the reason that inbound has for it; returns how many. */
export function endClassical(live: Iterable<Live>, metrics: ProxyMetrics): number {
  const ended = [...live].filter(({ group }) => group !== "" && !isPostQuantum(group));
  for (const each of ended) {
    metrics.refusals.with("outbound", "key_exchange_classical").add();
    each.cut("key_exchange_classical");
  }
  return ended.length;
}
