// A tree of frames -> boxes of a flame graph: as wide as they took long, each above its caller. Pure.
import type { Frame } from "./fold.ts";

export interface Box {
  readonly name: string;
  /** From the left edge and wide, in shares of the whole: 0 to 1. */
  readonly x: number;
  readonly width: number;
  /** 0: the root. */
  readonly depth: number;
  readonly totalUs: number;
  readonly selfUs: number;
}

/**
 * Boxes at least `widthMin` (a share) wide, callers before those they call. Children lie side by side from
 * their caller's left edge; what they leave free at its right is the caller's own time. Empty for an empty tree.
 */
export function layOut(root: Frame, widthMin: number): readonly Box[] {
  const boxes: Box[] = [];
  if (root.totalUs <= 0) return boxes;
  const left: (readonly [Frame, number, number])[] = [[root, 0, 0]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [{ name, totalUs, selfUs, children }, x, depth] = next;
    const width = totalUs / root.totalUs;
    if (width < widthMin) continue;
    boxes.push({ name, x, width, depth, totalUs, selfUs });
    let edge = x;
    for (const child of children) {
      left.push([child, edge, depth + 1]);
      edge += child.totalUs / root.totalUs;
    }
  }
  return boxes;
}
