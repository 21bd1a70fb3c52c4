// The live view as lines. Pure: (model, width, height, now) -> at most `height` lines of at most `width`
// columns. What does not fit is left out from the least telling part: app-a's lines first.
import type { Style } from "../paint.ts";
import {
  displayWidth,
  formatDuration,
  formatLatency,
  formatShare,
  padEnd,
  padStart,
  truncate,
  truncateMiddle,
} from "../text.ts";
import type { Answer } from "./app-lines.ts";
import type { BackendShare, Flow, LiveModel, ServiceModel, WorkloadModel } from "./model.ts";

const ANSWERS_SHOWN = 6;
const LABEL_WIDTH = 11;
const BAR_WIDTH_MAX = 40;
/** Below these shares of its life a certificate is overdue for renewal, and then in danger. */
const LIFE_OVERDUE = 0.5;
const LIFE_IN_DANGER = 0.2;

export function render(
  model: LiveModel,
  width: number,
  height: number,
  now: number,
  style: Style,
): string[] {
  const fixed = [
    ...model.services.flatMap((service) => ["", ...renderService(service, width, style)]),
    "",
    ...renderWorkloads(model.workloads, width, now, style),
    ...renderRefusals(model, style),
  ];
  const head = renderHead(model, width, now, style);
  const room = Math.max(1, Math.min(ANSWERS_SHOWN, height - head.length - fixed.length - 2));
  const lines = [...head, ...renderAnswers(model.answers, room, style), ...fixed].map((line) =>
    truncate(line, width, style.glyphs.mark),
  );
  if (lines.length <= height) return lines;
  const left = lines.length - height + 1;
  const more = style.paint.dim(
    `${style.glyphs.mark} ${left} more lines: a taller window shows them`,
  );
  return [...lines.slice(0, Math.max(0, height - 1)), truncate(more, width, style.glyphs.mark)];
}

/** One line for where nothing can be redrawn. */
export function renderSummary(model: LiveModel, now: number, style: Style): string {
  const parts = model.services.map((service) => {
    const split = service.backends
      .map(({ name, requests }) => `${name} ${formatShare(requests, service.tries)}`)
      .join(", ");
    const before = formatShare(service.triesOk, service.tries);
    const after = formatShare(service.answersOk, service.requests);
    const latency = `p50 ${formatLatency(service.p50Seconds)} p99 ${formatLatency(service.p99Seconds)}`;
    return `${service.name} ${service.requestsPerS.toFixed(1)}/s (${split}) ok ${before} ${style.glyphs.arrow} ${after} ${latency}`;
  });
  const soonest = model.workloads
    .flatMap(({ notAfterMs }) => (notAfterMs === null ? [] : [notAfterMs - now]))
    .sort((one, other) => one - other)[0];
  const life = soonest === undefined ? "no certificate yet" : formatDuration(soonest);
  const renewals = model.workloads.reduce((sum, each) => sum + each.renewals, 0);
  return `-- ${[...parts, `shortest certificate ${life}, ${renewals} renewed`].join("; ")}`;
}

function renderHead(model: LiveModel, width: number, now: number, style: Style): string[] {
  const { paint, glyphs } = style;
  const up = formatDuration(now - model.startedAt);
  const left = ` ${paint.bold(paint.cyan("signet"))}  up ${up}`;
  const right = paint.dim("Ctrl-C stops and cleans up ");
  const gap = " ".repeat(Math.max(2, width - displayWidth(left) - displayWidth(right)));
  return [`${left}${gap}${right}`, paint.dim(glyphs.rule.repeat(width))];
}

function renderAnswers(answers: readonly Answer[], room: number, style: Style): string[] {
  const { paint } = style;
  const title = ` ${paint.bold("app-a")} ${paint.dim("asks app-b each second; it is answered")}`;
  const shown = answers.slice(-room);
  if (shown.length === 0) return [title, `   ${paint.dim("waiting for the first answer")}`];
  const numberWidth = Math.max(...shown.map(({ number }) => String(number).length));
  return [
    title,
    ...shown.map((answer) => {
      const number = paint.dim(`#${padStart(String(answer.number), numberWidth)}`);
      const status = answer.isOk ? paint.green(answer.status) : paint.red(answer.status);
      const server = answer.server === "" ? "" : paint.dim(` (${answer.server})`);
      return `   ${number} ${status}${server}  ${answer.body}`.trimEnd();
    }),
  ];
}

function renderService(service: ServiceModel, width: number, style: Style): string[] {
  const { paint, glyphs } = style;
  const rate = `${service.requestsPerS.toFixed(1)} requests/s`;
  const latency = `p50 ${formatLatency(service.p50Seconds)}   p99 ${formatLatency(service.p99Seconds)}`;
  const before = formatShare(service.triesOk, service.tries);
  const after = formatShare(service.answersOk, service.requests);
  const isWhole = service.answersOk === service.requests;
  const success =
    `${before} of tries ${glyphs.arrow} ${(isWhole ? paint.green : paint.red)(after)} of requests` +
    paint.dim(`   ${service.retries} retries`);
  return [
    ` ${paint.bold(service.name)}   ${rate}   ${latency}   ${paint.dim("last minute")}`,
    `   ${label("versions", style)}${renderSplit(service.backends, width, style)}`,
    `   ${label("success", style)}${success}`,
    ...service.flows.flatMap((flow) => renderFlow(flow, width, style)),
  ];
}

/** One bar for all versions, each its share of it, with names and percentages after it. */
function renderSplit(backends: readonly BackendShare[], width: number, style: Style): string {
  const { paint, glyphs } = style;
  const all = backends.reduce((sum, { requests }) => sum + requests, 0);
  if (all === 0) return paint.dim("no requests");
  const looks = [
    { character: glyphs.full, colour: paint.cyan },
    { character: glyphs.half, colour: paint.magenta },
    { character: glyphs.empty, colour: paint.yellow },
  ];
  const legend = backends
    .map(({ name, requests }, index) => {
      const { character, colour } = looks[index % looks.length]!;
      return `${colour(character)} ${name} ${formatShare(requests, all)}`;
    })
    .join("  ");
  const room = width - 3 - LABEL_WIDTH - displayWidth(legend) - 2;
  const barWidth = Math.min(BAR_WIDTH_MAX, room);
  if (barWidth < 8) return legend;
  const cells = apportion(
    backends.map(({ requests }) => requests),
    barWidth,
  );
  const bar = cells
    .map((count, index) => {
      const { character, colour } = looks[index % looks.length]!;
      return colour(character.repeat(count));
    })
    .join("");
  return `${bar}  ${legend}`;
}

/** Whole cells in proportion to `parts`, `cells` in all; a part that is not 0 gets at least one. */
export function apportion(parts: readonly number[], cells: number): number[] {
  const all = parts.reduce((sum, part) => sum + part, 0);
  if (all <= 0) return parts.map(() => 0);
  const shares = parts.map((part) =>
    part === 0 ? 0 : Math.max(1, Math.round((part * cells) / all)),
  );
  while (shares.reduce((sum, share) => sum + share, 0) > cells) {
    shares[shares.indexOf(Math.max(...shares))]! -= 1;
  }
  while (shares.reduce((sum, share) => sum + share, 0) < cells) {
    shares[shares.indexOf(Math.max(...shares))]! += 1;
  }
  return shares;
}

function renderFlow(flow: Flow, width: number, style: Style): string[] {
  const { paint, glyphs } = style;
  const isPlain = flow.version === "" || flow.destination === "plaintext";
  const how = isPlain
    ? paint.yellow("plaintext")
    : `${paint.green("mutual TLS")}  ${flow.version}  ${flow.group}`;
  const arrow = ` ${glyphs.arrow} `;
  const room = width - 3 - LABEL_WIDTH;
  const together = `${flow.source}${arrow}${flow.destination}`;
  const identities =
    displayWidth(together) <= room
      ? [`   ${label("identities", style)}${together}`]
      : [
          `   ${label("identities", style)}${truncateMiddle(flow.source, room, glyphs.mark)}`,
          `   ${" ".repeat(LABEL_WIDTH - arrow.length)}${arrow}${truncateMiddle(flow.destination, room, glyphs.mark)}`,
        ];
  return [...identities, `   ${label("transport", style)}${how}`];
}

function renderWorkloads(
  workloads: readonly WorkloadModel[],
  width: number,
  now: number,
  style: Style,
): string[] {
  const { paint, glyphs } = style;
  const title = ` ${paint.bold("certificates")} ${paint.dim("renewed after a third of their life")}`;
  if (workloads.length === 0) return [title, `   ${paint.dim("no sidecar yet")}`];
  const podWidth = Math.min(
    Math.max(...workloads.map(({ pod }) => displayWidth(pod))),
    Math.max(12, Math.floor(width / 3)),
  );
  return [
    title,
    ...workloads.map((workload) => {
      const pod = padEnd(truncateMiddle(workload.pod, podWidth, glyphs.mark), podWidth);
      return `   ${pod}  ${renderLife(workload, width - podWidth - 5, now, style)}`;
    }),
  ];
}

function renderLife(workload: WorkloadModel, room: number, now: number, style: Style): string {
  const { paint, glyphs } = style;
  if (!workload.isAnswering) return paint.red("does not answer");
  if (workload.notAfterMs === null) return paint.yellow("has no certificate yet");
  const leftMs = workload.notAfterMs - now;
  const renewed = `renewed ${workload.renewals}${glyphs.times}`;
  const trouble = [
    ...(workload.failures > 0 ? [`${workload.failures} failed`] : []),
    ...(workload.isControllerConnected ? [] : ["controller away"]),
  ].join(", ");
  const words = `${padStart(leftMs > 0 ? formatDuration(leftMs) : "ended", 7)}  ${paint.dim(renewed)}`;
  const text = trouble === "" ? words : `${words}  ${paint.yellow(trouble)}`;
  const barWidth = Math.min(BAR_WIDTH_MAX, room - displayWidth(text) - 2);
  if (barWidth < 6) return text;
  const share =
    workload.lifetimeMs > 0 ? Math.min(1, Math.max(0, leftMs / workload.lifetimeMs)) : 0;
  const filled = Math.round(share * barWidth);
  const colour =
    share > LIFE_OVERDUE ? paint.green : share > LIFE_IN_DANGER ? paint.yellow : paint.red;
  const bar =
    colour(glyphs.full.repeat(filled)) + paint.dim(glyphs.empty.repeat(barWidth - filled));
  return `${bar}  ${text}`;
}

function renderRefusals(model: LiveModel, style: Style): string[] {
  if (model.refusals.length === 0) return [];
  const list = model.refusals.map(([reason, count]) => `${reason} ${count}`).join(", ");
  return ["", ` ${style.paint.bold("refused")} ${list}`];
}

function label(text: string, style: Style): string {
  return style.paint.dim(padEnd(text, LABEL_WIDTH));
}
