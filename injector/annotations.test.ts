import test from "ava";
import * as fc from "fast-check";
import { AnnotationError, readAnnotations } from "./annotations.ts";

const excludable = { inbound: [22, 9090], outbound: [443] };

test("readAnnotations reads lifetimes in hours, minutes and seconds", (t) => {
  const read = (text: string): number | null =>
    readAnnotations({ "signet.dev/svid-lifetime": text }, excludable).svidLifetimeS;
  t.is(readAnnotations({}, excludable).svidLifetimeS, null);
  t.is(read("30s"), 30);
  t.is(read("15m"), 900);
  t.is(read("1h30m"), 5400);
  t.is(read("24h"), 86_400);
  t.is(read("86400s"), 86_400);
});

for (const text of [
  "",
  "29s",
  "0s",
  "25h",
  "24h1s",
  "15",
  "15 m",
  "-30s",
  "1.5h",
  "30S",
  "30s15m",
  "1e3s",
  "9999999s",
  "30s\n",
  "٣٠s",
]) {
  test(`readAnnotations refuses the lifetime ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(
      () => readAnnotations({ "signet.dev/svid-lifetime": text }, excludable),
      { instanceOf: AnnotationError },
    );
    t.is(error.code, "annotation_invalid");
    t.not(error.next, "");
  });
}

test("readAnnotations sorts ports and drops doubles", (t) => {
  const { opaquePorts } = readAnnotations(
    { "signet.dev/opaque-ports": "5432, 25,5432" },
    excludable,
  );
  t.deepEqual(opaquePorts, [25, 5432]);
});

for (const text of ["", "0", "65536", "080", "80,", "80-90", "+80", "0x50", "80 81", "*", "NaN"]) {
  test(`attack-29 readAnnotations refuses the port list ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(
      () => readAnnotations({ "signet.dev/exclude-inbound-ports": text }, excludable),
      { instanceOf: AnnotationError },
    );
    t.is(error.code, "annotation_invalid");
  });
}

test("readAnnotations takes 64 ports and refuses 65", (t) => {
  const ports = (count: number): string =>
    Array.from({ length: count }, (_, index) => 1000 + index).join(",");
  const read = (count: number): number =>
    readAnnotations({ "signet.dev/opaque-ports": ports(count) }, excludable).opaquePorts.length;
  t.is(read(64), 64);
  t.throws(() => read(65), { instanceOf: AnnotationError, message: /more than 64 ports/ });
});

test("attack-29 readAnnotations names the ports that the mesh allows", (t) => {
  const error = t.throws(
    () => readAnnotations({ "signet.dev/exclude-inbound-ports": "22,23" }, excludable),
    { instanceOf: AnnotationError },
  );
  t.is(error.code, "port_not_excludable");
  t.is(
    error.message,
    'Cannot exclude port 23 by "signet.dev/exclude-inbound-ports": only 22, 9090 may be excluded in this mesh',
  );
});

test("readAnnotations leaves the annotations of others alone", (t) => {
  const annotations = { "example.com/x": "?", "notsignet.dev/opaque-ports": "?" };
  t.deepEqual(readAnnotations(annotations, excludable).opaquePorts, []);
});

test("readAnnotations throws nothing but its own error", (t) => {
  const keys = fc.constantFrom(
    "signet.dev/svid-lifetime",
    "signet.dev/opaque-ports",
    "signet.dev/exclude-inbound-ports",
    "signet.dev/__proto__",
  );
  const values = fc.oneof(fc.string(), fc.stringMatching(/^[0-9hms, .-]*$/));
  fc.assert(
    fc.property(fc.dictionary(keys, values), (annotations) => {
      try {
        readAnnotations(annotations, excludable);
      } catch (error) {
        return error instanceof AnnotationError;
      }
      return true;
    }),
  );
  t.pass();
});

test("readAnnotations reads the number of workers, one where nobody says", (t) => {
  t.is(readAnnotations({}, excludable).workers, 1);
  for (const workers of [1, 2, 8]) {
    t.is(readAnnotations({ "signet.dev/workers": String(workers) }, excludable).workers, workers);
  }
});

for (const text of ["", "0", "9", "16", "-1", "1.5", "02", " 2", "two", "2\n", "٢"]) {
  test(`readAnnotations refuses ${JSON.stringify(text)} workers`, (t) => {
    const error = t.throws(() => readAnnotations({ "signet.dev/workers": text }, excludable), {
      instanceOf: AnnotationError,
    });
    t.is(error.code, "annotation_invalid");
    t.regex(error.message, /signet\.dev\/workers/);
    t.regex(error.next, /1 to 8/);
  });
}
