// How near this process is to the end of its memory: what it has resident of what its cgroup may have
// (v2 memory.max or v1 memory.limit_in_bytes, as Node finds them), and what V8's heap has of its own limit,
// whichever is nearer. Not the cgroup's own count: that has the page cache in it, which is given up when it is
// wanted. Two system calls, some 30 us.
import { getHeapStatistics } from "node:v8";

export interface MemoryUse {
  readonly residentBytes: number;
  /** 0: none. */
  readonly residentBytesMax: number;
  readonly heapBytes: number;
  readonly heapBytesMax: number;
}

/** Of the limit that is nearest; 0 when there is none. */
export function memoryShareOf(use: MemoryUse): number {
  const { residentBytes, residentBytesMax, heapBytes, heapBytesMax } = use;
  const resident = residentBytesMax > 0 ? residentBytes / residentBytesMax : 0;
  const heap = heapBytesMax > 0 ? heapBytes / heapBytesMax : 0;
  return Math.max(resident, heap);
}

/** More than any machine has: how cgroup v1 writes "no limit". */
const noLimitBytes = 2 ** 50;

/** Reads the limits once, and the use at each call. `limitBytes`: instead of the cgroup's. */
export function memoryReader(limitBytes: number = process.constrainedMemory()): () => number {
  const residentBytesMax = limitBytes >= noLimitBytes ? 0 : limitBytes;
  return () => {
    const { used_heap_size: heapBytes, heap_size_limit: heapBytesMax } = getHeapStatistics();
    const residentBytes = residentBytesMax === 0 ? 0 : process.memoryUsage.rss();
    return memoryShareOf({ residentBytes, residentBytesMax, heapBytes, heapBytesMax });
  };
}
