// A machine's own network is no pod's: redirected to a sidecar that is not there, the machine is off the
// net at once, and can no longer be told so. A pod has virtual devices; a machine has at least one that is
// not. Pods with a real device of their own exist, so only a bare call is held back: the injector says the
// ports, a hand that slipped does not.
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import type { Environment } from "#/lib/config.ts";
import { ApplyError } from "./apply.ts";

/** Throws ApplyError when nobody said which ports, and this network has devices of the machine. */
export function refuseHostNetwork(
  commandLine: readonly string[],
  environment: Environment,
  folder = "/sys/class/net",
): void {
  const isToldByVariable = environment["SIGNET_INBOUND_PORT"] !== undefined;
  if (isToldByVariable || commandLine.some((word) => word.startsWith("--inbound-port"))) return;
  const devices = existsSync(folder)
    ? readdirSync(folder).filter((name) => existsSync(path.join(folder, name, "device")))
    : [];
  if (devices.length === 0) return;
  const state = `${devices.join(", ")} is a device of the machine: this is no pod's network`;
  throw new ApplyError("not_permitted", `Cannot redirect: ${state}`, {
    next: "Run it in a network namespace; if this is one with a device of its own, give --inbound-port",
  });
}
