// What kubelet runs in the container of a classic sidecar (on clusters before 1.29; a native one needs
// none of it). `started` ends when the sidecar is ready, and fails when it never is. `stopping SECONDS`
// ends after so long: until then the sidecar is not told to stop, and the application, which is told at
// once, can still call others and finish what it is asked.
import { get } from "node:http";
import { sleep, systemClock } from "#/lib/clock.ts";
import { adminPort } from "../ports.ts";
import { awaitReady } from "./started.ts";

/** As long as the start-up probe waits. */
const readyDeadlineMs = 120_000;
const stoppingSMax = 3600;
const askTimeoutMs = 1_000;
const exitUsage = 64;

// The clock's timers keep no process alive.
const alive = setInterval(() => undefined, readyDeadlineMs);
process.exitCode = await hook(process.argv.slice(2));
clearInterval(alive);

async function hook([event, seconds = ""]: readonly string[]): Promise<number> {
  if (event === "started") {
    return (await awaitReady(isReady, systemClock, readyDeadlineMs)) ? 0 : 1;
  }
  const count = /^\d{1,4}$/.test(seconds) ? Number(seconds) : Infinity;
  if (event !== "stopping" || count > stoppingSMax) {
    process.stderr.write("Usage: hook/main.ts started | stopping SECONDS\n");
    return exitUsage;
  }
  await sleep(systemClock, count * 1000);
  return 0;
}

function isReady(): Promise<boolean> {
  return new Promise((resolve) => {
    const where = { host: "127.0.0.1", port: adminPort, path: "/readyz", timeout: askTimeoutMs };
    const asked = get(where, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
  });
}
