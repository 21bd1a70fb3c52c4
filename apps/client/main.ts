// client: a small, bounded HTTP load and test client for tours and tests. In a pod it idles until
// somebody runs it there. It is an application like any other: the mesh is not known to it.
import { stopSignal } from "../signals.ts";
import { UsageError, helpText, readJob } from "./arguments.ts";
import type { Job, LoadJob, RawJob } from "./arguments.ts";
import { runLoad } from "./load.ts";
import { runRaw } from "./raw.ts";
import { summaryText } from "./summary.ts";

const print = (text: string): void => void process.stdout.write(text);

try {
  process.exitCode = await run(readJob(process.argv.slice(2)), stopSignal());
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`client: ${error.message}\n`);
  process.exitCode = 64;
}

async function run(job: Job, stop: AbortSignal): Promise<number> {
  switch (job.kind) {
    case "help":
      print(helpText);
      return 0;
    case "idle":
      return await idle(stop);
    case "raw":
      return await openRaw(job, stop);
    case "load":
      return await load(job, stop);
    default:
      throw new UsageError(`Unknown job ${JSON.stringify(job satisfies never)}`);
  }
}

async function openRaw(job: RawJob, stop: AbortSignal): Promise<number> {
  const report = await runRaw(job, stop);
  print(`${JSON.stringify(report)}\n`);
  return report.end === "held" || report.end === "closed" ? 0 : 1;
}

async function load(job: LoadJob, stop: AbortSignal): Promise<number> {
  const summary = await runLoad(job, stop, print);
  if (job.output === "json") print(`${JSON.stringify(summary)}\n`);
  if (job.output === "text") print(summaryText(summary));
  return Object.keys(summary.errors).length === 0 ? 0 : 1;
}

function idle(stop: AbortSignal): Promise<number> {
  print("Idle until SIGTERM\n");
  // A timer keeps the process alive; a pending promise alone would not.
  const alive = setInterval(() => undefined, 2 ** 30);
  return new Promise((resolve) => {
    stop.addEventListener("abort", () => {
      clearInterval(alive);
      resolve(0);
    });
  });
}
