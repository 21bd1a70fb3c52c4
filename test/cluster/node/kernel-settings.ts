// Settings of the whole machine that a kubelet changes: written down before it starts, put back after. Of two
// clusters the first does it: it is there before and after the second.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { isSecond, stateFolder } from "../settings.ts";

const names = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
];
const file = path.join(stateFolder, "kernel-settings.json");
const settingFile = (name: string): string => path.join("/proc/sys", name);

export function saveKernelSettings(): void {
  if (isSecond) return;
  const present = names.filter((name) => existsSync(settingFile(name)));
  const values = present.map((name) => [name, readFileSync(settingFile(name), "utf8").trim()]);
  writeFileSync(`${file}.new`, JSON.stringify(values));
  renameSync(`${file}.new`, file);
}

export function restoreKernelSettings(): void {
  if (!existsSync(file)) return;
  for (const [name, value] of JSON.parse(readFileSync(file, "utf8")) as [string, string][]) {
    if (readFileSync(settingFile(name), "utf8").trim() !== value) {
      writeFileSync(settingFile(name), value);
    }
  }
}
