// Setting up, as a list of steps: what is done with how long it took, what is under way with what it
// is busy with. Pure: events in, lines out.
import type { Progress } from "#/local/protocol.ts";
import type { Style } from "../paint.ts";
import { formatElapsed, padEnd, truncate } from "../text.ts";

export interface Step {
  readonly name: string;
  /** What it is busy with: pods by name. */
  readonly busyWith: readonly string[];
  readonly begunAt: number;
  /** null: under way. */
  readonly endedAt: number | null;
  readonly isFailed: boolean;
  /** Why it failed, or more about it; may be empty. */
  readonly detail: string;
}

const SPINNER_MS = 100;
const NAME_WIDTH = 36;
const BUSY_SHOWN = 6;

/** The steps after one more event. A pod ("namespace/name") is a part of the step under way. */
export function noteProgress(steps: readonly Step[], progress: Progress): readonly Step[] {
  const { step: name, detail, state, atMs } = progress;
  if (name.includes("/")) return steps.map((step) => withPod(step, progress));
  const at = steps.findIndex((step) => step.name === name);
  const known: Step = steps[at] ?? {
    name,
    busyWith: [],
    begunAt: atMs,
    endedAt: null,
    isFailed: false,
    detail: "",
  };
  const changed: Step = {
    ...known,
    endedAt: state === "begun" ? known.endedAt : atMs,
    isFailed: state === "failed",
    detail: detail === "" ? known.detail : detail,
  };
  return at < 0 ? [...steps, changed] : steps.with(at, changed);
}

function withPod(step: Step, { step: pod, detail, state }: Progress): Step {
  if (step.endedAt !== null) return step;
  const others = step.busyWith.filter((each) => !each.startsWith(`${pod} `));
  return { ...step, busyWith: state === "begun" ? [...others, `${pod} ${detail}`] : others };
}

/** All steps, for redrawing in place. `isOver`: what is still under way has been broken off. */
export function renderProgress(
  steps: readonly Step[],
  now: number,
  width: number,
  style: Style,
  isOver = false,
): string[] {
  const { paint, glyphs } = style;
  const spinner = glyphs.spinner[Math.floor(now / SPINNER_MS) % glyphs.spinner.length] ?? "";
  return steps
    .flatMap((step) => {
      const elapsed = paint.dim(formatElapsed((step.endedAt ?? now) - step.begunAt));
      const mark =
        step.endedAt === null
          ? paint.cyan(isOver ? glyphs.waiting : spinner)
          : step.isFailed
            ? paint.red(glyphs.failed)
            : paint.green(glyphs.passed);
      const busy = step.endedAt === null && !isOver ? step.busyWith.slice(-BUSY_SHOWN) : [];
      const why = step.isFailed && step.detail !== "" ? [`    ${paint.red(step.detail)}`] : [];
      return [
        `${mark} ${padEnd(step.name, NAME_WIDTH)} ${elapsed}`,
        ...busy.map((each) => paint.dim(`    ${each}`)),
        ...why,
      ];
    })
    .map((line) => truncate(line, width, glyphs.mark));
}

/** One line for a step that has ended, where nothing can be redrawn; null for one that has not. */
export function progressLine(steps: readonly Step[], event: Progress, style: Style): string | null {
  const step = steps.find(({ name }) => name === event.step);
  if (step === undefined || step.endedAt === null) return null;
  const mark = step.isFailed ? style.glyphs.failed : style.glyphs.passed;
  const why = step.isFailed && step.detail !== "" ? `: ${step.detail}` : "";
  return `${mark} ${step.name} (${formatElapsed(step.endedAt - step.begunAt)})${why}`;
}
