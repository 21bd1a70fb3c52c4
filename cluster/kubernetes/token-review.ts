// Asks the API server whether a token is genuine, for our audience, and bound to a pod. What the API
// server says is checked again here, and what the token itself says before it is asked: a flood of
// nonsense must not become a flood of calls. While it is away the answer is "not now", never "yes".
import { hash } from "node:crypto";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { KubernetesClient } from "./client.ts";
import { Turnstile } from "./turnstile.ts";

/** token_review_failed is the only one that is worth asking again. */
export type TokenReviewErrorCode =
  | "token_invalid"
  | "token_expired"
  | "token_audience_wrong"
  | "token_not_pod_bound"
  | "token_review_failed";

export class TokenReviewError extends MeshError<TokenReviewErrorCode> {}

/** What a genuine token says. */
export interface PodToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
  /** SHA-256 of the token's own identifier, hex: it can be logged, the token cannot. */
  readonly tokenHash: string;
}

export interface TokenReviewOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
}

/** The only audience there is; no fallback to another (attack case 9). */
const tokenAudience = "signet-ca";
/** Characters. A projected token has some 1,200; looked at before anything else. */
const tokenCharactersMax = 16_384;
/** Projected tokens live 10 minutes; one that claims a longer life was made for something else. */
const tokenLifeMsMax = 3_600_000;
const reviewMs = 5_000;
/** Short: a token ends when its pod or account is deleted, and only the API server knows of that. */
const keptMs = 10_000;
const keptTokensMax = 4_096;
/** Reviews at once; a restart of a whole mesh waits in line. */
const turns = { runningMax: 16, waitingMax: 1_024, waitMsMax: 5_000 };

/** A function that rejects with TokenReviewError unless the token is genuine. */
export function createTokenReview({
  client,
  clock,
}: TokenReviewOptions): (token: string) => Promise<PodToken> {
  const gate = new Turnstile(turns, clock);
  const kept = new Map<string, { readonly token: PodToken; readonly until: number }>();
  const underWay = new Map<string, Promise<PodToken>>();
  return async (token) => {
    const claims = readClaims(token, clock.now());
    const name = hash("sha256", token, "hex");
    const held = kept.get(name);
    if (held !== undefined && clock.now() < held.until) return held.token;
    kept.delete(name);
    const running = underWay.get(name);
    if (running !== undefined) return running;
    const review = gate
      .run(() => askServer(client, token), busy)
      .then((answer) => {
        const reviewed = readAnswer(answer, token);
        const oldest = kept.size >= keptTokensMax ? kept.keys().next().value : undefined;
        if (oldest !== undefined) kept.delete(oldest);
        kept.set(name, {
          token: reviewed,
          until: Math.min(clock.now() + keptMs, claims.expiresAt),
        });
        return reviewed;
      })
      .finally(() => underWay.delete(name));
    underWay.set(name, review);
    return review;
  };
}

async function askServer(client: KubernetesClient, token: string): Promise<unknown> {
  try {
    return await client.call({
      method: "POST",
      path: "/apis/authentication.k8s.io/v1/tokenreviews",
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences: [tokenAudience] },
      },
      timeoutMs: reviewMs,
    });
  } catch (thrown) {
    throw new TokenReviewError(
      "token_review_failed",
      `Cannot review token: ${messageOf(thrown)}`,
      // The cause names the path and what was answered; the token stands in neither.
      { cause: thrown },
    );
  }
}

/** What the token says of itself: only to refuse early, and to forget it in time. */
function readClaims(token: string, now: number): { readonly expiresAt: number } {
  if (token.length > tokenCharactersMax) throw invalid(`it has ${token.length} characters`);
  const claims = parseClaims(token);
  const { exp, iat, aud } = claims;
  if (typeof exp !== "number" || typeof iat !== "number") throw invalid("it tells no life");
  if (exp * 1000 <= now) {
    throw new TokenReviewError("token_expired", "Cannot accept token: it has expired");
  }
  if ((exp - iat) * 1000 > tokenLifeMsMax) throw invalid("it lives longer than an hour");
  // A token that others are shown, too, could be replayed by them.
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (audiences.length !== 1 || audiences[0] !== tokenAudience) throw audienceWrong();
  return { expiresAt: exp * 1000 };
}

function parseClaims(token: string): Readonly<Record<string, unknown>> {
  const parts = token.split(".");
  if (parts.length !== 3) throw invalid("it is no JWT");
  try {
    return record(JSON.parse(Buffer.from(parts[1] ?? "", "base64url").toString("utf8")));
  } catch {
    throw invalid("it is no JWT");
  }
}

/** Total over whatever comes as an answer. */
function readAnswer(answer: unknown, token: string): PodToken {
  const status = record(record(answer)["status"]);
  if (status["authenticated"] !== true) {
    const { error } = status;
    throw invalid(typeof error === "string" ? error.slice(0, 200) : "it is not genuine");
  }
  const { audiences } = status;
  if (!Array.isArray(audiences) || !audiences.includes(tokenAudience)) throw audienceWrong();
  const user = record(status["user"]);
  const [, namespace = "", serviceAccount = ""] = subjectPattern.exec(text(user["username"])) ?? [];
  if (namespace === "") throw invalid("its subject is no service account");
  const extra = record(user["extra"]);
  const podName = single(extra["authentication.kubernetes.io/pod-name"]);
  const podUid = single(extra["authentication.kubernetes.io/pod-uid"]);
  if (podName === "" || podUid === "") {
    throw new TokenReviewError(
      "token_not_pod_bound",
      "Cannot accept token: it is bound to no pod",
      { next: "Mount a projected service account token; others are not bound to a pod" },
    );
  }
  const id = single(extra["authentication.kubernetes.io/credential-id"]).replace(/^JTI=/, "");
  const tokenHash = hash("sha256", id === "" ? token : id, "hex");
  return { namespace, serviceAccount, podName, podUid, tokenHash };
}

const subjectPattern = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/;

function single(value: unknown): string {
  return Array.isArray(value) && value.length === 1 ? text(value[0]) : "";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function busy(state: string): TokenReviewError {
  return new TokenReviewError("token_review_failed", `Cannot review token: ${state}`);
}

function audienceWrong(): TokenReviewError {
  const state = `Cannot accept token: it is not for audience "${tokenAudience}" alone`;
  return new TokenReviewError("token_audience_wrong", state);
}

function invalid(state: string): TokenReviewError {
  return new TokenReviewError("token_invalid", `Cannot accept token: ${state}`);
}
