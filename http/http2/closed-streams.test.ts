import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { CLOSED, ClosedStreams } from "./closed-streams.ts";

const HORIZON = 8192;

test("closed streams property: remembers the last 4096 numbers as a map would, and no other", (t) => {
  const step = fc.tuple(
    fc.constantFrom(2, 2, 2, 4, 100, HORIZON - 2, HORIZON, 3 * HORIZON),
    fc.constantFrom(CLOSED.unknown, CLOSED.ended, CLOSED.resetByPeer, CLOSED.resetByUs),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const closed = new ClosedStreams();
      const model = new Map<number, number>();
      let lastId = -1;
      for (const [gap, how] of steps) {
        const id = lastId + gap;
        closed.advance(Math.max(0, lastId), id);
        lastId = id;
        if (how !== CLOSED.unknown) {
          closed.add(id, how);
          model.set(id, how);
        }
        for (const back of [0, 2, 4, 100, HORIZON - 2, HORIZON, HORIZON + 2]) {
          const asked = lastId - back;
          if (asked < 1) continue;
          const expected = back < HORIZON ? (model.get(asked) ?? CLOSED.unknown) : CLOSED.unknown;
          t.is(closed.find(asked, lastId), expected);
        }
      }
    }),
    fuzzOptions(t, 500),
  );
});
