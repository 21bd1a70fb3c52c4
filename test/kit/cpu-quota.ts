// A share of one core for a process, as a container's limit gives it: the kernel's bandwidth control, of either
// version of cgroups. Needs root.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const periodUs = 100_000;

export class CpuQuota implements Disposable {
  readonly #root: string;
  readonly #folder: string;
  readonly #processId: number;

  private constructor(root: string, processId: number) {
    this.#root = root;
    this.#folder = path.join(root, `signet-test-quota-${processId}`);
    this.#processId = processId;
  }

  /** `percent` of one core from now on, until it is disposed of. */
  static limit(processId: number, percent: number): CpuQuota {
    const version1 = "/sys/fs/cgroup/cpu";
    const isVersion1 = existsSync(path.join(version1, "cpu.cfs_quota_us"));
    const it = new CpuQuota(isVersion1 ? version1 : "/sys/fs/cgroup", processId);
    mkdirSync(it.#folder);
    const quota = String((percent * periodUs) / 100);
    if (isVersion1) {
      it.#write("cpu.cfs_period_us", String(periodUs));
      it.#write("cpu.cfs_quota_us", quota);
    } else it.#write("cpu.max", `${quota} ${periodUs}`);
    it.#write("cgroup.procs", String(processId));
    return it;
  }

  [Symbol.dispose](): void {
    try {
      writeFileSync(path.join(this.#root, "cgroup.procs"), String(this.#processId));
    } catch {
      // It has ended.
    }
    rmdirSync(this.#folder);
  }

  #write(name: string, text: string): void {
    writeFileSync(path.join(this.#folder, name), text);
  }
}
