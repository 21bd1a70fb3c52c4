import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { refuseHostNetwork } from "./host-network.ts";

function devices(
  t: { teardown(fn: () => void): void },
  names: Readonly<Record<string, "real" | "virtual">>,
): string {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-net-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [name, kind] of Object.entries(names)) {
    mkdirSync(path.join(folder, name, kind === "real" ? "device" : "."), { recursive: true });
  }
  return folder;
}

test("refuseHostNetwork refuses a bare call in a machine's own network", (t) => {
  const folder = devices(t, { lo: "virtual", eth0: "real" });
  t.throws(() => refuseHostNetwork([], {}, folder), {
    message: /eth0 is a device of the machine/,
    code: "not_permitted",
  });
  t.throws(() => refuseHostNetwork(["--admin-port=4101"], {}, folder));
});

test("refuseHostNetwork takes the injector's word, and a flag", (t) => {
  const folder = devices(t, { lo: "virtual", eth0: "real" });
  t.notThrows(() => refuseHostNetwork([], { SIGNET_INBOUND_PORT: "4000" }, folder));
  t.notThrows(() => refuseHostNetwork(["--inbound-port=4000"], {}, folder));
});

test("refuseHostNetwork has nothing against virtual devices, or none", (t) => {
  t.notThrows(() => refuseHostNetwork([], {}, devices(t, { lo: "virtual", eth0: "virtual" })));
  t.notThrows(() => refuseHostNetwork([], {}, "/nonexistent"));
});
