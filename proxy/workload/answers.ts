// What the Workload API answers: the present certificate and the present roots at once, and again whenever
// either changes. While there is no certificate a stream ends with "unavailable", at which clients come
// back by themselves, at growing intervals, as the specification asks of them.
import { RpcError } from "#/api/rpc-error.ts";
import type { AnswerStream, WorkloadHandlers, X509Bundles, X509Svid } from "#/api/workload.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import type { Watch } from "#/lib/watch.ts";

/** Each a new object when it has changed, and only then. */
export interface Answers {
  readonly svid: X509Svid | null;
  readonly bundles: X509Bundles | null;
}

export const noAnswers: Answers = { svid: null, bundles: null };

/** From what is held now. Without roots nothing could be verified, and nothing is answered. */
export function answersOf(
  svid: Svid | null,
  roots: readonly Uint8Array[],
  trustDomain: TrustDomain,
  previous: Answers,
): Answers {
  if (roots.length === 0) return noAnswers;
  const known = previous.bundles?.get(trustDomain);
  const areSame = known !== undefined && isSame(known, roots);
  const bundles = areSame ? previous.bundles : new Map([[trustDomain, roots]]);
  if (svid === null) return { svid: null, bundles };
  const { id, chain } = svid;
  if (areSame && previous.svid?.chain === chain) return previous;
  const privateKey = svid.privateKey.export({ type: "pkcs8", format: "der" });
  return { svid: { id, chain, privateKey, roots }, bundles };
}

export function workloadHandlers(answers: Watch<Answers>): WorkloadHandlers {
  return {
    watchX509Svid: (stream) => follow(answers, stream, ({ svid }) => svid),
    watchX509Bundles: (stream) => follow(answers, stream, ({ bundles }) => bundles),
  };
}

function follow<Answer>(
  answers: Watch<Answers>,
  stream: AnswerStream<Answer>,
  pick: (answers: Answers) => Answer | null,
): () => void {
  let last: Answer | null = null;
  const tell = (now: Answers): void => {
    const answer = pick(now);
    if (answer === null) stream.fail(unavailable());
    else if (answer !== last) stream.send(answer);
    last = answer;
  };
  const stop = answers.onChange(tell);
  tell(answers.get());
  return stop;
}

function unavailable(): RpcError {
  return new RpcError("unavailable", "Cannot serve yet: there is no certificate; ask again");
}

function isSame(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return (
    one.length === other.length && one.every((der, at) => Buffer.compare(der, other[at]!) === 0)
  );
}
