// From signals to an exit code. A process is one async function of an AbortSignal: the first SIGTERM
// or SIGINT aborts it and lets it finish (drain), the second one ends at once.
import type { Log } from "./log.ts";
import { MeshError, messageOf } from "./errors.ts";

const EXIT_FAILED = 1;
const EXIT_CRASHED = 70;

/**
 * Runs `main` to its end and sets the exit code: 0, 1 for an operating error (logged with what to do
 * next), 70 for a programmer error. An exception or rejection nobody caught is a programmer error.
 */
export async function runMain(
  log: Log,
  main: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT_FAILED);
      log.info("stopping", { signal: name });
      controller.abort(new Error(`Stopped by ${name}`));
    });
  }
  const crash = (kind: string) => (thrown: unknown) => {
    log.error(kind, { reason: messageOf(thrown), stack: stackOf(thrown) });
    process.exit(EXIT_CRASHED);
  };
  process.on("uncaughtException", crash("uncaught exception"));
  process.on("unhandledRejection", crash("unhandled rejection"));
  try {
    await main(controller.signal);
    process.exitCode = 0;
  } catch (error) {
    if (error instanceof MeshError) {
      log.error("failed", { reason: error.message, code: error.code, next: error.next });
      process.exitCode = EXIT_FAILED;
    } else {
      log.error("crashed", { reason: messageOf(error), stack: stackOf(error) });
      process.exitCode = EXIT_CRASHED;
    }
  }
  process.exit();
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function stackOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.stack : undefined;
}
