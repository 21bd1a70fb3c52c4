// One command at a time on a machine. The lock is a socket without a file: the kernel gives it back
// when its holder ends, however it ends, and whoever finds it taken can ask by whom.
import { connect, createServer } from "node:net";
import { RigError } from "./errors.ts";
import { isSecond } from "./settings.ts";

/** What may be held by one run at a time: a cluster of this machine, or the parts of test/conformance. */
export type Lockable = "cluster" | "second cluster" | "conformance";
const answerMsMax = 2000;

/** Throws RigError when another holds it. */
export async function takeLock(
  purpose: string,
  what: Lockable = isSecond ? "second cluster" : "cluster",
): Promise<AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(`process ${process.pid} (${purpose})`);
  });
  const isTaken = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(true);
      else reject(error);
    });
    server.listen({ path: socketOf(what) }, () => resolve(false));
  });
  if (isTaken) {
    throw new RigError("already_running", `Another run has the ${what}: ${await holder(what)}`, {
      next: "Wait for it to end, or end it, then run this again",
    });
  }
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function holder(what: Lockable): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ path: socketOf(what) });
    socket.setTimeout(answerMsMax, () => socket.destroy());
    socket.on("data", (data) => (text += data.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text === "" ? "unknown" : text));
  });
}

function socketOf(what: Lockable): string {
  return `\0signet-test-${what}`;
}
