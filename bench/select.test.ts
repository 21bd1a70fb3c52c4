import test from "ava";
import { SelectError, selectNames } from "./select.ts";
import { works } from "./works.ts";

const known = works.map((work) => work.name);

test("selectNames gives all when none is asked for", (t) => {
  t.deepEqual(selectNames("work", [], known), known);
});

const selects = test.macro({
  exec(t, asked: readonly string[], expected: readonly string[]) {
    t.deepEqual(selectNames("work", asked, known), expected);
  },
  title: (_, asked: readonly string[]) => `selectNames takes ${asked.join(" and ")}`,
});

// Not its longer relatives.
test(selects, ["h1-mtls-pair"], ["h1-mtls-pair"]);
test(selects, ["h1-mtls-pair-paced"], ["h1-mtls-pair-paced-3000", "h1-mtls-pair-paced-6000"]);
test(selects, ["h1-mtls-pair-16k", "h1-plain-hop"], ["h1-plain-hop", "h1-mtls-pair-16k"]);

const refuses = test.macro({
  exec(t, name: string) {
    const ask = (): unknown => selectNames("work", ["h1-plain-hop", name], known);
    const error = t.throws(ask, { instanceOf: SelectError });
    t.is(error.code, "name_unknown");
    t.is(error.message, `Cannot measure "${name}": no work has this name`);
    t.true(error.next.includes("h1-mtls-pair-16k"));
  },
  title: (_, name: string) => `selectNames refuses "${name}"`,
});

test(refuses, "");
test(refuses, "h1");
test(refuses, "h1-mtls-pair-paced-9000");
test(refuses, "H1-plain-hop");
