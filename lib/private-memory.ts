// For processes that hold keys: the kernel writes their memory to no core file, hands it to no crash handler,
// and shows it to no other process of their user. A limit on the size of core files is not enough for that:
// where the machine pipes cores to a program (systemd-coredump, apport) the kernel does not ask it.
import { dlopen } from "node:ffi";
import { MeshError } from "./errors.ts";

export class PrivateMemoryError extends MeshError<"memory_not_private"> {}

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
/** struct rlimit: soft and hard limit, 64 bits each. */
const noBytes = new Uint8Array(16);

/**
 * Once, at the start, before there is a key. It holds until the process ends, in all its threads; a program
 * that it would execute starts without. Throws PrivateMemoryError when the kernel does not say that it holds.
 * `afterwards`: what becomes of foreign functions, for which Node's permission model lets the process start
 * with them; they cannot be taken up again.
 */
export function makeMemoryPrivate(afterwards: "keep_foreign" | "drop_foreign"): void {
  try {
    const { functions } = dlopen("libc.so.6", {
      prctl: { arguments: ["i32", "u64", "u64", "u64", "u64"], return: "i32" },
      setrlimit: { arguments: ["i32", "buffer"], return: "i32" },
    });
    const { prctl, setrlimit } = functions;
    const isSet =
      setrlimit(RLIMIT_CORE, noBytes) === 0 &&
      prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0 &&
      prctl(PR_GET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
    if (!isSet) throw new Error("the kernel refuses");
    if (afterwards === "drop_foreign") process.permission?.drop("ffi");
  } catch (cause) {
    throw new PrivateMemoryError(
      "memory_not_private",
      "Cannot hold keys: a crash would write them to a core file",
      { cause, next: "Run on Linux with glibc, with --allow-ffi if --permission is given" },
    );
  }
}
