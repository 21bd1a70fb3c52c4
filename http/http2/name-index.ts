// Finds a field name in the static table, by its bytes.
import { ascii } from "../http1/bytes.ts";
import { STATIC_ENTRIES, staticEntries } from "./static-table.ts";

const SLOTS = 256;
/** The first entry with each name, where the name's hash or the slots after it put it; 0 is free. */
const slots = new Uint8Array(SLOTS);
const names: readonly Uint8Array[] = staticEntries.map(([name]) => ascii(name));

for (let index = STATIC_ENTRIES; index >= 1; index -= 1) {
  const name = names[index - 1]!;
  let slot = nameHash(name, 0, name.length) & (SLOTS - 1);
  while (slots[slot] !== 0 && !sameName(slots[slot]!, name, 0, name.length)) {
    slot = (slot + 1) & (SLOTS - 1);
  }
  slots[slot] = index;
}

/**
 * A number for the name buffer[start, end): its length and eight of its bytes. Names that are alike
 * there share it, so whoever finds by it compares.
 */
export function nameHash(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const step = length < 8 ? 1 : length / 8;
  let hash = length;
  for (let at = start; at < end; at += step) hash = Math.imul(hash ^ buffer[at | 0]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The first entry of the static table that has the name buffer[start, end), or 0. */
export function staticNameOf(buffer: Uint8Array, start: number, end: number): number {
  let slot = nameHash(buffer, start, end) & (SLOTS - 1);
  for (;;) {
    const index = slots[slot]!;
    if (index === 0 || sameName(index, buffer, start, end)) return index;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

function sameName(index: number, buffer: Uint8Array, start: number, end: number): boolean {
  const name = names[index - 1]!;
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at += 1) {
    if (name[at] !== buffer[start + at]) return false;
  }
  return true;
}
