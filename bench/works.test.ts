import test from "ava";
import { WorkError, requestHead, selectWorks, varyingMark, works } from "./works.ts";

test("works have names of their own", (t) => {
  t.is(new Set(works.map((work) => work.name)).size, works.length);
});

test("works with headers send twelve, exactly one of them varying", (t) => {
  const { headers } = works.find((work) => work.name === "h1-mtls-pair-headers")!;
  t.is(headers.length, 12);
  t.is(headers.filter(([, value]) => value.includes(varyingMark)).length, 1);
});

test("selectWorks gives all when none is named", (t) => {
  t.deepEqual(selectWorks([]), works);
});

const selects = test.macro({
  exec(t, names: readonly string[], expected: readonly string[]) {
    t.deepEqual(
      selectWorks(names).map((work) => work.name),
      expected,
    );
  },
  title: (_, names: readonly string[]) => `selectWorks takes ${names.join(" and ")}`,
});

// Not its longer relatives.
test(selects, ["h1-mtls-pair"], ["h1-mtls-pair"]);
test(selects, ["h1-mtls-pair-paced"], ["h1-mtls-pair-paced-3000", "h1-mtls-pair-paced-6000"]);
test(selects, ["h1-mtls-pair-16k", "h1-plain-hop"], ["h1-plain-hop", "h1-mtls-pair-16k"]);

const refuses = test.macro({
  exec(t, name: string) {
    const error = t.throws(() => selectWorks(["h1-plain-hop", name]), { instanceOf: WorkError });
    t.is(error.code, "work_unknown");
    t.is(error.message, `Cannot measure "${name}": no work has this name`);
    t.true(error.next.includes("h1-mtls-pair-16k"));
  },
  title: (_, name: string) => `selectWorks refuses "${name}"`,
});

test(refuses, "");
test(refuses, "h1");
test(refuses, "h1-mtls-pair-paced-9000");
test(refuses, "H1-plain-hop");

test("requestHead is one request with Host first", (t) => {
  const plain = works.find((work) => work.name === "h1-plain-hop")!;
  t.is(requestHead(plain, "app-b"), "GET /hello HTTP/1.1\r\nHost: app-b\r\n\r\n");
});
