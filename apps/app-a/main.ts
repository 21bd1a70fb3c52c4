// app-a: asks app-b for a greeting once a second and prints the whole answer. It knows nothing of a
// mesh: plain HTTP to a service name, no retries, no certificates. What it prints is what the mesh did.
//
// TARGET_URL  what to GET (http://app-b.app-b.svc.cluster.local./hello)
// INTERVAL_MS from the start of one request to the start of the next (1000)
// TIMEOUT_MS  given up after this long without an answer (5000)
import { Agent, get } from "node:http";
import type { IncomingMessage } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { messageText, readBody } from "../http-text.ts";
import { stopSignal } from "../signals.ts";

const targetUrl = process.env["TARGET_URL"] ?? "http://app-b.app-b.svc.cluster.local./hello";
const intervalMs = milliseconds("INTERVAL_MS", 1000);
const timeoutMs = milliseconds("TIMEOUT_MS", 5000);

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const stop = stopSignal();

for (let number = 1; !stop.aborted; number += 1) {
  const startedAt = performance.now();
  process.stdout.write(`Response #${number}\n${await ask()}\n`);
  const restMs = Math.max(0, intervalMs - (performance.now() - startedAt));
  await wait(restMs, undefined, { signal: stop }).catch(() => undefined);
}
agent.destroy();

/** The response as text, or one line that says why there is none. */
async function ask(): Promise<string> {
  try {
    const response = await request();
    const { text } = await readBody(response);
    const { httpVersion, statusCode, statusMessage } = response;
    return messageText(`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, response, text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return `Error: ${code ?? "failed"}: ${message}\n`;
  }
}

function request(): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
    get(targetUrl, { agent, signal }, resolve).on("error", reject);
  });
}

function milliseconds(name: string, byDefault: number): number {
  const text = process.env[name] ?? String(byDefault);
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  process.stderr.write(`Cannot start: ${name} is "${text}", not a number of milliseconds\n`);
  return process.exit(64);
}
