// Issues JWT-SVIDs: one way from a request to a token, as in service.ts for certificates, and by the same
// attestation. A token names its workload and nothing else of it; what is issued is told in the log, by the
// token's own identifier, never the token.
import type { KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import type { IssueJwtRequest, IssueJwtResponse } from "#/api/identity.ts";
import { verifyJwtSvid } from "#/identity/jwt-svid.ts";
import type { JwtAuthority as JwtAuthorityKey } from "#/identity/jwt-svid.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { attest } from "./attest.ts";
import type { AttestOptions } from "./attest.ts";
import { CaError } from "./ca-error.ts";
import type { IssuerSource } from "./issuer.ts";
import { jwtAuthoritiesAt, jwtKeyAt, jwtKeyLifeMs } from "./jwt-keys.ts";
import type { JwtKey } from "./jwt-keys.ts";
import type { CaMetrics } from "./metrics.ts";

/** A token cannot be taken back: it lives five minutes, whoever asks. */
export const jwtLifetimeS = 300;
export const audiencesMax = 16;
export const audienceCharactersMax = 256;
/** How long the keys of a former intermediate count: twice the life of its last token. */
export const formerIntermediateMs: number = 2 * jwtLifetimeS * 1000;
const jtiBytes = 16;
const printable = /^[\x20-\x7e]+$/;

export interface JwtAuthorityOptions {
  /** Throws when there is none that is valid: who may issue no certificate may issue no token. */
  readonly issuer: Pick<IssuerSource, "current">;
  readonly attestation: AttestOptions;
  readonly trustDomain: TrustDomain;
  /** What keys are derived from now. */
  readonly intermediate: () => KeyObject;
  readonly metrics: Pick<CaMetrics, "jwtIssued" | "jwtRefused">;
  readonly clock: Clock;
  /** Random bytes of this length, unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

export class JwtAuthority {
  readonly #options: JwtAuthorityOptions;
  #present: KeyObject;
  #former: { readonly intermediate: KeyObject; readonly until: number } | null = null;
  #today: { readonly day: number; readonly key: JwtKey } | null = null;

  constructor(options: JwtAuthorityOptions) {
    this.#options = options;
    this.#present = options.intermediate();
  }

  /**
   * What tokens of any replica are verified with now. After another intermediate came into force those of the
   * former count for a while: its tokens live on, and other replicas may not have taken the new one up yet.
   */
  authorities(): readonly JwtAuthorityKey[] {
    const { trustDomain, clock } = this.#options;
    const now = clock.now();
    const keys = [this.#intermediate(now)];
    if (this.#former !== null && now < this.#former.until) keys.push(this.#former.intermediate);
    return keys.flatMap((each) => jwtAuthoritiesAt(each, trustDomain, now));
  }

  #intermediate(now: number): KeyObject {
    const present = this.#options.intermediate();
    if (!present.equals(this.#present)) {
      this.#former = { intermediate: this.#present, until: now + formerIntermediateMs };
      this.#present = present;
      this.#today = null;
    }
    return present;
  }

  /** A token for the workload that `request.token` proves; rejects with CaError. */
  async issue(request: IssueJwtRequest, peerAddress: string): Promise<IssueJwtResponse> {
    const { metrics, log } = this.#options;
    try {
      const answer = await this.#issue(request, peerAddress);
      metrics.jwtIssued.add();
      return answer;
    } catch (thrown) {
      const reason = thrown instanceof CaError ? thrown.code : "internal";
      metrics.jwtRefused.with(reason).add();
      log.warn("token refused", { reason, detail: messageOf(thrown), "src.addr": peerAddress });
      throw thrown;
    }
  }

  /** Derived once a day. */
  #keyAt(now: number): JwtKey {
    const { trustDomain } = this.#options;
    const intermediate = this.#intermediate(now);
    const day = Math.floor(now / jwtKeyLifeMs);
    if (this.#today?.day !== day)
      this.#today = { day, key: jwtKeyAt(intermediate, trustDomain, now) };
    return this.#today.key;
  }

  async #issue(
    { token, audiences }: IssueJwtRequest,
    peerAddress: string,
  ): Promise<IssueJwtResponse> {
    const { issuer, attestation, trustDomain, clock, randomBytes, log } = this.#options;
    issuer.current();
    checkAudiences(audiences);
    const { id, podName, podUid, tokenHash } = await attest(token, peerAddress, attestation);
    const now = clock.now();
    const key = this.#keyAt(now);
    const issuedAtS = Math.floor(now / 1000);
    const jti = Buffer.from(randomBytes(jtiBytes)).toString("base64url");
    const svid = await new SignJWT({ aud: [...audiences] })
      .setProtectedHeader({ alg: "ES256", kid: key.keyId, typ: "JWT" })
      .setSubject(id)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + jwtLifetimeS)
      .setJti(jti)
      .sign(key.privateKey);
    // Read again as its verifier will, before it leaves.
    for (const audience of audiences) {
      const found = verifyJwtSvid(svid, { authorities: [key], trustDomain, audience, now });
      if (found.id !== id)
        throw new CaError("issued_unsound", `Cannot hand out a token of "${id}"`);
    }
    log.info("token issued", {
      id,
      jti,
      audiences: audiences.join(" "),
      pod: podName,
      pod_uid: podUid,
      token_hash: tokenHash,
      "src.addr": peerAddress,
    });
    return { svid, expiresAt: (issuedAtS + jwtLifetimeS) * 1000 };
  }
}

/** Before the pod's token is looked at: it is cheap, and needs no secret. */
function checkAudiences(audiences: readonly string[]): void {
  const { length } = audiences;
  if (length === 0 || length > audiencesMax) {
    throw refused(`${length} audiences are not 1 to ${audiencesMax}`);
  }
  for (const audience of audiences) {
    if (audience.length > audienceCharactersMax || !printable.test(audience)) {
      throw refused(`an audience has 1 to ${audienceCharactersMax} printable ASCII characters`);
    }
  }
}

function refused(state: string): CaError {
  return new CaError("audience_invalid", `Cannot issue a token: ${state}`, {
    next: "Name those that the token is for, and nobody else",
  });
}
