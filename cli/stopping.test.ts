import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { EXIT_FAILED, EXIT_OK, EXIT_STOPPED, EXIT_USAGE } from "./exit-codes.ts";
import { Stopping } from "./stopping.ts";

const failure = (code: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`write ${code}`), { code });

test("Stopping asks to stop at the first signal and insists at the third", (t) => {
  const clock = new ManualClock(0);
  const stopping = new Stopping(clock);
  t.false(stopping.signal.aborted);
  t.false(stopping.bySignal("SIGINT"));
  t.true(stopping.signal.aborted);
  clock.advance(1000);
  t.false(stopping.bySignal("SIGTERM"));
  clock.advance(1000);
  t.true(stopping.bySignal("SIGINT"));
});

test("Stopping takes one stop that comes by several ways for one", (t) => {
  const stopping = new Stopping(new ManualClock(0));
  for (let count = 0; count < 5; count += 1) t.false(stopping.bySignal("SIGTERM"));
});

test("Stopping never insists for a terminal that has gone", (t) => {
  const clock = new ManualClock(0);
  const stopping = new Stopping(clock);
  for (let count = 0; count < 5; count += 1) {
    t.false(stopping.bySignal("SIGHUP"));
    clock.advance(1000);
  }
  t.true(stopping.signal.aborted);
});

test("Stopping takes a reader that has seen enough for no fault", (t) => {
  const stopping = new Stopping(new ManualClock(0));
  stopping.byOutput(failure("EPIPE"));
  t.true(stopping.signal.aborted);
  t.is(stopping.fault, null);
  t.is(stopping.exitCode(EXIT_STOPPED), EXIT_OK);
  t.is(stopping.exitCode(EXIT_FAILED), EXIT_FAILED);
});

for (const code of ["ENOSPC", "EIO"]) {
  test(`Stopping lets no command that wrote in vain succeed: ${code}`, (t) => {
    const stopping = new Stopping(new ManualClock(0));
    stopping.byOutput(failure(code));
    stopping.byOutput(failure("EPIPE"));
    t.is(stopping.fault?.message, `Cannot write the output: write ${code}`);
    t.is(stopping.exitCode(EXIT_OK), EXIT_FAILED);
    t.is(stopping.exitCode(EXIT_STOPPED), EXIT_FAILED);
    t.is(stopping.exitCode(EXIT_USAGE), EXIT_USAGE);
  });
}

test("Stopping leaves a command's own exit code alone", (t) => {
  const stopping = new Stopping(new ManualClock(0));
  stopping.bySignal("SIGINT");
  t.is(stopping.exitCode(EXIT_STOPPED), EXIT_STOPPED);
  t.is(stopping.exitCode(7), 7);
});
