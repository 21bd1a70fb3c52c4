// The runtime's process, inside the node's network namespace. Started by launch.ts with its settings as
// one JSON argument; ends on SIGTERM or when asked over the control socket.
import { systemClock } from "#/lib/clock.ts";
import { aborted, runMain } from "#/lib/lifecycle.ts";
import { createLog } from "#/lib/log.ts";
import { createRuntime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime.ts";

const log = createLog("local", "info");
await runMain(log, async (signal) => {
  const settings = JSON.parse(process.argv[2] ?? "{}") as Omit<RuntimeOptions, "clock" | "log">;
  const runtime = await createRuntime({ ...settings, clock: systemClock, log });
  // Keeps the process alive whatever else ends: the clock's timers do not.
  const alive = setInterval(() => {}, 60_000);
  try {
    await Promise.race([runtime.start(), aborted(signal)]);
    await Promise.race([runtime.stopRequested, aborted(signal)]);
  } finally {
    await runtime.stop();
    clearInterval(alive);
  }
});
