// What a sidecar holds at one moment: by the kernel's books, and by its own metrics.
import { readdirSync } from "node:fs";
import { memoryOf } from "../process.ts";

export interface SidecarSample {
  readonly rssKib: number;
  readonly pssKib: number;
  /** Of JavaScript's objects, as the sidecar says itself. */
  readonly heapKib: number;
  /** Of buffers outside the heap. */
  readonly externalKib: number;
  /** Open descriptors. */
  readonly descriptors: number;
}

interface Figure {
  readonly name: string;
  readonly unit: "KiB" | "";
  readonly least: number;
}

/** Proportional memory is not judged: it grows when another process that shares Node's pages ends. */
type Judged = Exclude<keyof SidecarSample, "pssKib">;

/** Each figure that is judged, and the growth of it that is not worth naming. */
export const figures: Readonly<Record<Judged, Figure>> = {
  rssKib: { name: "resident", unit: "KiB", least: 6 * 1024 },
  heapKib: { name: "heap", unit: "KiB", least: 2 * 1024 },
  externalKib: { name: "buffers", unit: "KiB", least: 2 * 1024 },
  descriptors: { name: "descriptors", unit: "", least: 16 },
};

/** `metrics` is the sidecar's own Prometheus text. */
export function sampleSidecar(pid: number, metrics: string): SidecarSample {
  return {
    ...memoryOf([pid]),
    heapKib: gauge(metrics, "signet_proxy_heap_bytes") / 1024,
    externalKib: gauge(metrics, "signet_proxy_external_bytes") / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

function gauge(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1] ?? Number.NaN);
}
