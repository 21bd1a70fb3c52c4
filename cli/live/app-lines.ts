// app-a prints whole HTTP answers; the live view has one line for each. Pure.
import { printable } from "../text.ts";

export interface Answer {
  /** As app-a counts. */
  readonly number: number;
  /** "200 OK", or what went wrong. */
  readonly status: string;
  readonly isOk: boolean;
  /** Who answered, by the server header; empty when nobody said. */
  readonly server: string;
  readonly body: string;
  /** As app-a printed it, without what could steer a terminal. */
  readonly lines: readonly string[];
}

/** The answers in a piece of app-a's output, oldest first; one that is cut off at the end is left out. */
export function readAnswers(output: string): Answer[] {
  const blocks = output.split(/^(?=Response #\d+$)/m);
  return blocks.flatMap((block, index) => {
    const answer = readAnswer(block);
    const isWhole = index < blocks.length - 1 || block.endsWith("\n\n");
    return answer !== null && isWhole ? [answer] : [];
  });
}

function readAnswer(block: string): Answer | null {
  const number = /^Response #(\d+)\n/.exec(block)?.[1];
  if (number === undefined) return null;
  const lines = block.split("\n").slice(1).map(printable);
  const [first = "", ...rest] = lines;
  const status = /^HTTP\/\S+ (.*)$/.exec(first)?.[1];
  const server = rest.find((line) => /^server:/i.test(line))?.replace(/^server:\s*/i, "") ?? "";
  const empty = rest.indexOf("");
  const body = empty < 0 ? "" : (rest.slice(empty + 1).find((line) => line !== "") ?? "");
  return {
    number: Number(number),
    status: status ?? first,
    isOk: status?.startsWith("2") === true,
    server: status === undefined ? "" : server,
    body: status === undefined ? "" : body,
    lines: [
      `Response #${number}`,
      ...lines.slice(0, lines.findLastIndex((line) => line !== "") + 1),
    ],
  };
}
