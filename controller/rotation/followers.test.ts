// Other meshes acknowledge nothing: a root is published for a while before anybody issues under it.
import test from "ava";
import type { AuthorityRecord, Rotation } from "#/ca/rotation/record.ts";
import { decide } from "./decide.ts";

const keyed = (name: string) => ({ certificate: name, key: "key" });

function planOf(rotation: Partial<Rotation>, publishMs: number, now: number): string {
  const record: AuthorityRecord = {
    roots: ["root", "next root"],
    links: [],
    rootKey: "key",
    intermediate: "intermediate",
    intermediateKey: "key",
    rotation: {
      id: "a",
      of: "root",
      step: "staged",
      isAborting: false,
      startedAt: 1_000,
      since: 1_000,
      other: { root: keyed("next root"), intermediate: keyed("next intermediate") },
      ...rotation,
    },
    last: null,
    pending: null,
    handled: "",
  };
  const intermediate = { notBefore: 0, notAfter: 1_000_000_000 };
  const facts = { record, intermediate, request: null, waiting: () => [], publishMs, now };
  return decide(facts).plan.kind;
}

test("decide gives federated meshes the time to fetch the next root", (t) => {
  t.is(planOf({}, 0, 1_000), "write", "nobody follows");
  t.is(planOf({}, 10_000, 10_999), "hold");
  t.is(planOf({}, 10_000, 11_000), "write");
});

test("decide waits for federated meshes with nothing but a root that is to come", (t) => {
  t.is(planOf({ of: "intermediate" }, 10_000, 1_000), "write");
  t.is(planOf({ step: "switched" }, 10_000, 1_000), "write");
});
