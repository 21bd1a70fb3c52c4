// The sidecar: terminates and originates mutual TLS on redirected connections, authorizes what comes
// in, routes, balances and retries what goes out. Reads its environment here and nowhere else. It must
// never write a key anywhere, and never let a byte through before a verdict.
import { systemClock } from "#/lib/clock.ts";
import { runMain } from "#/lib/lifecycle.ts";
import { createLog } from "#/lib/log.ts";
import { makeMemoryPrivate } from "#/lib/private-memory.ts";
import { runProxy } from "./app.ts";
import { readProxyConfig } from "./config.ts";

const STDOUT = 1;

const bootLog = createLog("proxy", "info");
await runMain(bootLog, async (signal) => {
  makeMemoryPrivate("keep_foreign");
  const config = readProxyConfig(process.env);
  const log = createLog("proxy", config.logLevel);
  const random = (): number => Math.random();
  const options = { config, clock: systemClock, random, log, accessLogDescriptor: STDOUT };
  await runProxy(options, signal);
});
