// Reads the Prometheus text format (version 0.0.4). Pure; throws nothing but ScrapeError.
import { MeshError } from "#/lib/errors.ts";

export class ScrapeError extends MeshError<"scrape_invalid"> {}

export interface Sample {
  readonly name: string;
  /** Null prototype: a label may have any name. */
  readonly labels: Readonly<Record<string, string>>;
  /** May be Infinity or NaN, as the format allows. */
  readonly value: number;
}

/** A sidecar writes some hundreds; past this the text is not ours. */
const SAMPLES_MAX = 50_000;
const LINE_CHARACTERS_MAX = 16 * 1024;

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const labelNamePattern = /^[a-zA-Z_][a-zA-Z0-9_]*/;
const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Comments and empty lines are passed over; timestamps are read and dropped. */
export function parseExposition(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    if (content.length > LINE_CHARACTERS_MAX) throw fault(index, "the line is too long");
    if (samples.length >= SAMPLES_MAX) throw fault(index, `more than ${SAMPLES_MAX} samples`);
    samples.push(parseLine(content, index));
  }
  return samples;
}

function parseLine(line: string, index: number): Sample {
  const name = namePattern.exec(line)?.[0];
  if (name === undefined) throw fault(index, "no metric name");
  let position = name.length;
  const labels: Record<string, string> = Object.create(null);
  if (line[position] === "{") position = parseLabels(line, position + 1, labels, index);
  const [value = "", timestamp, ...rest] = line.slice(position).trim().split(/\s+/);
  if (rest.length > 0 || (timestamp !== undefined && !/^-?\d+$/.test(timestamp))) {
    throw fault(index, "more than a value and a timestamp");
  }
  return { name, labels, value: parseNumber(value, index) };
}

/** Returns the position after the closing brace. */
function parseLabels(
  line: string,
  start: number,
  labels: Record<string, string>,
  index: number,
): number {
  let position = start;
  for (;;) {
    while (line[position] === " " || line[position] === ",") position += 1;
    if (line[position] === "}") return position + 1;
    const name = labelNamePattern.exec(line.slice(position))?.[0];
    if (name === undefined) throw fault(index, "no label name");
    position += name.length;
    if (line[position] !== "=" || line[position + 1] !== '"') {
      throw fault(index, `label "${name}" has no quoted value`);
    }
    let value = "";
    position += 2;
    while (line[position] !== '"') {
      const character = line[position];
      if (character === undefined) throw fault(index, `label "${name}" does not end`);
      if (character === "\\") {
        position += 1;
        value += unescape(line[position], index);
      } else value += character;
      position += 1;
    }
    position += 1;
    labels[name] = value;
  }
}

function unescape(character: string | undefined, index: number): string {
  if (character === "n") return "\n";
  if (character === "\\" || character === '"') return character;
  throw fault(index, "an unknown escape");
}

function parseNumber(text: string, index: number): number {
  if (numberPattern.test(text)) return Number(text);
  if (text === "+Inf" || text === "Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  if (text === "NaN") return Number.NaN;
  throw fault(index, `"${text.slice(0, 40)}" is no number`);
}

function fault(index: number, state: string): ScrapeError {
  return new ScrapeError("scrape_invalid", `Cannot read metrics: line ${index + 1}: ${state}`, {
    next: "Look at what the pod answers on :4100/metrics",
  });
}
