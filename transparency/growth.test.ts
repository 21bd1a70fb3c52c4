import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { emptyFrontier } from "./frontier.ts";
import { Growth } from "./growth.ts";
import { hashLeaf } from "./hash.ts";
import type { Digest } from "./hash.ts";
import { isIncluded } from "./verify.ts";

const leafAt = (index: number): Digest => hashLeaf(Buffer.from(`entry ${index}`));

function grownTo(size: number): Growth {
  const growth = new Growth(emptyFrontier);
  for (let index = 0; index < size; index += 1) growth.append(leafAt(index), () => {});
  return growth;
}

/** Proves every leaf that joined, in the order given by `turn`. */
function allProven(growth: Growth, before: number, turn: number): boolean {
  const tree = growth.tree();
  const count = tree.size - before;
  return Array.from({ length: count }, (_each, at) => before + ((at * turn) % count)).every(
    (index) => isIncluded(leafAt(index), index, tree, growth.inclusion(index)),
  );
}

test("inclusion proves each leaf that joined, in any order, and again when more have joined", (t) => {
  const sizes = fc.tuple(
    fc.nat(300),
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: 70 }),
  );
  const holds = fc.property(sizes, fc.constantFrom(1, 7, 101), ([before, first, second], turn) => {
    const growth = new Growth(grownTo(before).frontier);
    for (const count of [first, second]) {
      for (let more = 0; more < count; more += 1) {
        growth.append(leafAt(growth.frontier.size), () => {});
      }
      if (!allProven(growth, before, turn)) return false;
    }
    return true;
  });
  fc.assert(holds, fuzzOptions(t, 100));
  t.pass();
});
