// One GET to an HTTP server in a pod, over a connection that was opened through the API server.
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { messageOf } from "#/lib/errors.ts";
import { readText } from "#/lib/read-text.ts";
import { KubernetesError } from "./kubernetes-error.ts";

const answerMsMax = 10_000;
/** A whole ledger's certificates, as JSON. */
const answerBytesMax = 134_217_728;

/** The body of a 200. `what` as in "Cannot ask <what>". Rejects with KubernetesError. */
export async function getOver(connection: Duplex, what: string, path: string): Promise<string> {
  const cannot = (state: string, cause?: unknown): KubernetesError =>
    new KubernetesError("unavailable", `Cannot ask ${what} for ${path}: ${state}`, {
      next: "See that the pod is ready, and try again",
      cause,
    });
  try {
    const response = await send(connection, path);
    const body = await readText(response, answerBytesMax);
    if (body === null) throw cannot(`the answer has more than ${answerBytesMax} bytes`);
    if (response.statusCode === 200) return body;
    throw cannot(`it answers ${response.statusCode}: ${body.slice(0, 200).trim()}`);
  } catch (thrown) {
    throw thrown instanceof KubernetesError ? thrown : cannot(messageOf(thrown), thrown);
  } finally {
    connection.destroy();
  }
}

function send(connection: Duplex, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({
      path,
      headers: { host: "localhost", connection: "close" },
      createConnection: () => connection,
      signal: AbortSignal.timeout(answerMsMax),
    });
    sent.on("response", resolve);
    sent.on("error", reject);
    sent.end();
  });
}
