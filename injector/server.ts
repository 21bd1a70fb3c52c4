// The webhooks over HTTPS: who calls is the API server, which knows us by our certificate; what it
// sends is bounded in size and time. Not the data path: plain node:https.
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { CounterFamily } from "#/lib/metrics.ts";
import { readText } from "#/lib/read-text.ts";
import type { Watch } from "#/lib/watch.ts";
import { mutate, validate } from "./admission.ts";
import type { AskedBy } from "./admission.ts";
import type { InjectorConfig } from "./config.ts";
import { ReviewError, readReview, reviewBytesMax, writeAnswer } from "./review.ts";
import type { Answer, Review } from "./review.ts";

class ListenError extends MeshError<"listen_failed"> {}

/** PEM, leaf first. */
export interface ServingCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface WebhookServerOptions {
  readonly port: number;
  /** As it is at each review: the roots that are pinned may change. */
  readonly config: () => InjectorConfig;
  /** Swapped whole whenever it changes; null: no handshake is answered. */
  readonly serving: Watch<ServingCertificate | null>;
  /** By webhook and answer. */
  readonly reviews: CounterFamily;
  readonly log: Log;
}

type Judge = (review: Review, askedBy: AskedBy, config: InjectorConfig) => Answer;

interface Webhook {
  readonly name: "inject" | "validate";
  readonly judge: Judge;
  readonly askedBy: AskedBy;
}

/** Paths as the webhook configurations name them. */
const webhooks: Readonly<Record<string, Webhook>> = {
  "/inject": { name: "inject", judge: mutate, askedBy: "namespace" },
  "/inject/pod": { name: "inject", judge: mutate, askedBy: "pod" },
  "/validate": { name: "validate", judge: validate, askedBy: "namespace" },
  "/validate/pod": { name: "validate", judge: validate, askedBy: "pod" },
};

/** An API server gives up after 10 s by default. */
const requestTimeoutMs = 10_000;
/**
 * An API server keeps an idle connection for 90 s. Closed by us before that, it may be in use again just
 * then: the review is lost, and the pod refused (Node's own default is 5 s).
 */
const idleTimeoutMs = 120_000;
const connectionsMax = 256;

export interface WebhookServer extends AsyncDisposable {
  readonly port: number;
}

/** Rejects with MeshError `listen_failed`. */
export async function serveWebhooks(options: WebhookServerOptions): Promise<WebhookServer> {
  const server = createServer({
    minVersion: "TLSv1.2",
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
  });
  server.maxConnections = connectionsMax;
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    answer(options, request).then(
      ({ status, body }) => send(response, status, body),
      (error: unknown) => {
        options.log.error("review failed", { reason: messageOf(error) });
        send(response, 500, "internal error\n");
      },
    );
  });
  const use = (serving: ServingCertificate | null): void => {
    if (serving === null) return;
    server.setSecureContext({ cert: serving.certificate, key: serving.key });
  };
  use(options.serving.get());
  options.serving.onChange(use);
  await listen(server, options.port);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      server.closeIdleConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  { config, reviews, log }: WebhookServerOptions,
  request: IncomingMessage,
): Promise<{ readonly status: number; readonly body: string }> {
  const webhook = webhooks[request.url?.split("?")[0] ?? ""];
  if (webhook === undefined) return { status: 404, body: "no such webhook\n" };
  if (request.method !== "POST") return { status: 405, body: "an API server posts reviews here\n" };
  const body = await readText(request, reviewBytesMax);
  if (body === null) {
    return { status: 413, body: `a review has at most ${reviewBytesMax} bytes\n` };
  }
  let review: Review;
  try {
    review = readReview(body);
  } catch (error) {
    if (!(error instanceof ReviewError)) throw error;
    reviews.with(webhook.name, "invalid").add();
    return { status: 400, body: `${error.message}. ${error.next}\n` };
  }
  const judged = webhook.judge(review, webhook.askedBy, config());
  const verdict = judged.allowed ? (judged.patch === undefined ? "allowed" : "injected") : "denied";
  reviews.with(webhook.name, verdict).add();
  log[judged.allowed ? "info" : "warn"]("review answered", {
    webhook: webhook.name,
    namespace: review.namespace,
    operation: review.operation,
    verdict,
    reason: judged.message ?? judged.audit?.["reason"] ?? "",
  });
  return { status: 200, body: writeAnswer(review.uid, judged) };
}

function send(response: ServerResponse, status: number, body: string): void {
  const contentType = body.startsWith("{") ? "application/json" : "text/plain; charset=utf-8";
  response.writeHead(status, { "content-type": contentType });
  response.end(body);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const state = cause.code ?? cause.message;
      reject(
        new ListenError("listen_failed", `Cannot listen on port ${port}: ${state}`, {
          cause,
          next: "End the process that has it, or set SIGNET_WEBHOOK_PORT",
        }),
      );
    });
    server.listen(port, "::", resolve);
  });
}
