// The controller: hosts the certificate authority, watches the world, and tells each sidecar what it
// may know. Reads its environment here and nowhere else. It never keeps a workload's key.
import { systemClock } from "#/lib/clock.ts";
import { runMain } from "#/lib/lifecycle.ts";
import { createLog } from "#/lib/log.ts";
import { runController } from "./app.ts";
import { readControllerConfig } from "./config.ts";

await runMain(createLog("controller", "info"), async (signal) => {
  const config = readControllerConfig(process.env);
  const log = createLog("controller", config.logLevel);
  const { POD_NAME: name = "signet-controller-0", POD_IP: address = "" } = process.env;
  const random = (): number => Math.random();
  // Keeps the process alive whatever else ends: the clock's timers do not.
  const alive = setInterval(() => {}, 60_000);
  try {
    await runController(
      { config, pod: { name, address }, clock: systemClock, random, log },
      signal,
    );
  } finally {
    clearInterval(alive);
  }
});
