// What the Workload API answers: the present certificate and the present bundles at once, and again whenever
// they change; tokens, and what stands in others'. While something is not there yet a call ends with
// "unavailable", at which clients come back by themselves, at growing intervals, as the specification asks.
import { RpcError } from "#/api/rpc-error.ts";
import type {
  AnswerStream,
  JwtBundles,
  WorkloadHandlers,
  X509Bundles,
  X509Svid,
} from "#/api/workload.ts";
import { IdentityError } from "#/identity/identity-error.ts";
import type { FederatedBundles } from "#/api/discovery.ts";
import { claimedTrustDomain, jwksOf, verifyJwtSvid } from "#/identity/jwt-svid.ts";
import type { JwtAuthority, JwtFacts } from "#/identity/jwt-svid.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Watch } from "#/lib/watch.ts";

/** Each a new object when it has changed, and only then. */
export interface Answers {
  readonly svid: X509Svid | null;
  readonly bundles: X509Bundles | null;
  readonly jwtBundles: JwtBundles | null;
}

/** What is held of the trust domains: the own one, and those that the mesh is federated with. */
export interface Bundles {
  readonly trustDomain: TrustDomain;
  /** DER; empty before any is known. */
  readonly roots: readonly Uint8Array[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  readonly federated: FederatedBundles;
}

export const noAnswers: Answers = { svid: null, bundles: null, jwtBundles: null };

/** From what is held now. Without roots nothing could be verified, and nothing is answered. */
export function answersOf(svid: Svid | null, held: Bundles, previous: Answers): Answers {
  if (held.roots.length === 0) return noAnswers;
  const bundles = rootsOf(held);
  const areSame = previous.bundles !== null && isSame(bundles, previous.bundles, areSameRoots);
  const jwtBundles = keysOf(held);
  const areKeysSame =
    jwtBundles !== null &&
    previous.jwtBundles !== null &&
    isSame(jwtBundles, previous.jwtBundles, Object.is);
  return {
    svid: svidOf(svid, held, areSame ? previous.svid : null),
    bundles: areSame ? previous.bundles : bundles,
    jwtBundles: areKeysSame ? previous.jwtBundles : jwtBundles,
  };
}

function rootsOf({ trustDomain, roots, federated }: Bundles): X509Bundles {
  const foreign = [...federated].map(([name, bundle]) => [name, bundle.roots] as const);
  return new Map([...foreign, [trustDomain, roots]]);
}

/** A trust domain of which no key is known has no bundle; of the own one there will be some soon. */
function keysOf({ trustDomain, jwtAuthorities, federated }: Bundles): JwtBundles | null {
  if (jwtAuthorities.length === 0) return null;
  const foreign = [...federated].map(([name, bundle]) => [name, bundle.jwtAuthorities] as const);
  const known = [...foreign, [trustDomain, jwtAuthorities] as const];
  return new Map(
    known.flatMap(([name, keys]) => (keys.length === 0 ? [] : [[name, jwksOf(keys)] as const])),
  );
}

function svidOf(svid: Svid | null, held: Bundles, previous: X509Svid | null): X509Svid | null {
  if (svid === null || previous?.chain === svid.chain) return svid === null ? null : previous;
  const { id, chain } = svid;
  const { roots, trustDomain } = held;
  const federated = new Map([...rootsOf(held)].filter(([name]) => name !== trustDomain));
  const privateKey = svid.privateKey.export({ type: "pkcs8", format: "der" });
  return { id, chain, roots, federated, privateKey };
}

export interface HandlerOptions {
  readonly answers: Watch<Answers>;
  readonly ownId: SpiffeId;
  readonly authorities: () => readonly JwtAuthority[];
  /** Other trust domains whose tokens count, each by its own keys. */
  readonly federated: () => FederatedBundles;
  readonly tokens: { get(audiences: readonly string[]): Promise<string> };
  readonly trustDomain: TrustDomain;
  readonly clock: Pick<Clock, "now">;
}

export function workloadHandlers(options: HandlerOptions): WorkloadHandlers {
  const { answers, ownId, authorities, tokens } = options;
  return {
    watchX509Svid: (stream) => follow(answers, stream, ({ svid }) => svid),
    watchX509Bundles: (stream) => follow(answers, stream, ({ bundles }) => bundles),
    watchJwtBundles: (stream) => follow(answers, stream, ({ jwtBundles }) => jwtBundles),
    async fetchJwtSvid(audiences, id) {
      if (audiences.length === 0) throw invalid("name the audience that the token is for");
      if (audiences.includes("")) throw invalid("an audience is empty");
      if (id !== "" && id !== ownId) {
        throw new RpcError("permission_denied", `Cannot serve: this pod is "${ownId}"`);
      }
      if (authorities().length === 0) throw unavailable();
      return [{ id: ownId, token: await tokens.get(audiences) }];
    },
    validateJwtSvid: (audience, token) => validate(audience, token, options),
  };
}

function validate(
  audience: string,
  token: string,
  { authorities, federated, trustDomain: own, clock }: HandlerOptions,
): JwtFacts {
  if (audience === "") throw invalid("name the audience that the token has to be for");
  const known = authorities();
  if (known.length === 0) throw unavailable();
  try {
    // Which keys may have signed it is decided by what it says of itself; that it holds, by them alone.
    const foreign = federated().get(claimedTrustDomain(token) ?? own);
    const rules = foreign ?? { jwtAuthorities: known, trustDomain: own };
    const { jwtAuthorities, trustDomain } = rules;
    return verifyJwtSvid(token, {
      authorities: jwtAuthorities,
      trustDomain,
      audience,
      now: clock.now(),
    });
  } catch (thrown) {
    if (!(thrown instanceof IdentityError)) throw thrown;
    throw new RpcError("invalid_argument", thrown.message, { cause: thrown });
  }
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
  return new RpcError("unavailable", "Cannot serve yet: it is not there; ask again");
}

function invalid(state: string): RpcError {
  return new RpcError("invalid_argument", `Cannot serve: ${state}`);
}

function isSame<Value>(
  one: ReadonlyMap<TrustDomain, Value>,
  other: ReadonlyMap<TrustDomain, Value>,
  areEqual: (one: Value, other: Value) => boolean,
): boolean {
  if (one.size !== other.size) return false;
  return [...one].every(([name, value]) => {
    const there = other.get(name);
    return there !== undefined && areEqual(value, there);
  });
}

function areSameRoots(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return (
    one.length === other.length && one.every((der, at) => Buffer.compare(der, other[at]!) === 0)
  );
}
