import test from "ava";
import { missingHere } from "./machine.ts";

test("missingHere names what lacks and the package that has it, one sentence each", (t) => {
  const missing = missingHere(1000, ["/nowhere"]);
  t.deepEqual(missing[0], {
    what: "not root",
    next: "Run it as root: it makes network namespaces",
  });
  t.deepEqual(
    missing.find(({ what }) => what.includes("iptables-restore")),
    {
      what: 'no "iptables-restore"',
      next: "Install it: apt-get install iptables",
    },
  );
  t.deepEqual(
    missing.find(({ what }) => what.includes("setpriv"))?.next,
    "Install it: apt-get install util-linux",
  );
});

test("missingHere asks for root even where all tools are", (t) => {
  t.true(missingHere(1000).some(({ what }) => what === "not root"));
  t.false(missingHere(0).some(({ what }) => what === "not root"));
});
