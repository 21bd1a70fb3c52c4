// One thread of another process that stands still, as if it were caught in a loop, by the kernel's freezer. Only its
// first version holds single threads. Needs root.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

const freezer = "/sys/fs/cgroup/freezer";

/** What is missing on this machine, as a sentence; null when nothing is. */
export function missingFreezer(): string | null {
  return existsSync(path.join(freezer, "tasks")) ? null : "No freezer of cgroups version 1 here";
}

export class FrozenThread implements Disposable {
  readonly #folder: string;
  readonly #threadId: string;

  private constructor(threadId: string) {
    this.#threadId = threadId;
    this.#folder = path.join(freezer, `signet-test-frozen-${threadId}`);
  }

  /** The thread of this name. */
  static freeze(processId: number, name: string): FrozenThread {
    const tasks = `/proc/${processId}/task`;
    const named = readdirSync(tasks).map((id) => ({
      id,
      name: readFileSync(path.join(tasks, id, "comm"), "utf8").trim(),
    }));
    const threadId = named.find((each) => each.name === name)?.id;
    if (threadId === undefined) {
      throw new Error(`No thread "${name}" but ${named.map((each) => each.name).join(", ")}`);
    }
    const it = new FrozenThread(threadId);
    mkdirSync(it.#folder);
    writeFileSync(path.join(it.#folder, "tasks"), threadId);
    writeFileSync(path.join(it.#folder, "freezer.state"), "FROZEN");
    return it;
  }

  /** Once: it goes on, or ends if it was told to. */
  [Symbol.dispose](): void {
    if (!existsSync(this.#folder)) return;
    writeFileSync(path.join(this.#folder, "freezer.state"), "THAWED");
    try {
      writeFileSync(path.join(freezer, "tasks"), this.#threadId);
    } catch {
      // It has ended.
    }
    rmdirSync(this.#folder);
  }
}
