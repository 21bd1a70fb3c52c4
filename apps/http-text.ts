// HTTP messages as text for people, and bodies read up to a bound. Shared by the three applications.
import type { IncomingMessage } from "node:http";

/** More of a body than this is counted, not kept. */
const bodyBytesMax = 64 * 1024;

export interface Body {
  readonly text: string;
  readonly bytes: number;
}

/** Reads to the end; keeps the first 64 KiB. Rejects when the connection breaks before the end. */
export async function readBody(message: IncomingMessage): Promise<Body> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    if (bytes < bodyBytesMax) kept.push(chunk.subarray(0, bodyBytesMax - bytes));
    bytes += chunk.length;
  }
  return { text: Buffer.concat(kept).toString("utf8"), bytes };
}

/** Start line, headers as they came, an empty line, the body. */
export function messageText(startLine: string, message: IncomingMessage, body: string): string {
  const lines = [startLine];
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    lines.push(`${message.rawHeaders[index]}: ${message.rawHeaders[index + 1]}`);
  }
  return `${lines.join("\n")}\n\n${body}${body === "" || body.endsWith("\n") ? "" : "\n"}`;
}
