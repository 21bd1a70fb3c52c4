// The controller: holds the certificate authority, watches the world, and tells each sidecar what it
// must know. Reads its environment here and nowhere else. It must never write a key anywhere, never
// tell a reason to whom it refuses, and never take an empty list for an empty world.
import { randomBytes } from "node:crypto";
import { systemClock } from "#/lib/clock.ts";
import { runMain } from "#/lib/lifecycle.ts";
import { createLog } from "#/lib/log.ts";
import { makeMemoryPrivate } from "#/lib/private-memory.ts";
import { runController } from "./app.ts";
import { readControllerConfig } from "./config.ts";

const bootLog = createLog("controller", "info");
await runMain(bootLog, async (signal) => {
  makeMemoryPrivate("drop_foreign");
  const config = readControllerConfig(process.env);
  const log = createLog("controller", config.logLevel);
  const random = (): number => Math.random();
  await runController({ config, clock: systemClock, random, randomBytes, log }, signal);
});
