import test from "ava";
import { missingHere, needMachine, needRoot } from "./machine.ts";
import { LocalError } from "./objects.ts";

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
      debian: "iptables",
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

test("needMachine names all that is missing at once, and one step for each kind of it", (t) => {
  t.notThrows(() => needMachine([]));
  const error = t.throws(() => needMachine(missingHere(1000, [])), { instanceOf: LocalError });
  t.is(
    error.message,
    'Cannot run the mesh here: not root, no "bash", no "ip", no "iptables-restore", no "nsenter", no "setpriv", no "unshare", no "mount", no "sysctl"',
  );
  t.is(
    error.next,
    "Run it as root: it makes network namespaces; Install them: apt-get install bash iproute2 iptables util-linux mount procps",
  );
});

test("needRoot lets root alone through", (t) => {
  t.notThrows(() => needRoot("stop the mesh", 0));
  t.throws(() => needRoot("stop the mesh", 1000), {
    code: "not_possible_here",
    message: "Cannot stop the mesh: not root",
  });
});
