// JWT-SVIDs for the pod's processes: asked of the controller with the pod's own token, held against the bundle
// before they go out, and kept for half of their life, so that an application may ask before each request.
import { readToken } from "#/api/bootstrap.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { ControllerConnection } from "#/api/rpc.ts";
import { verifyJwtSvid } from "#/identity/jwt-svid.ts";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";

/** Different lists of audiences that are kept; the oldest makes room. */
export const tokensKeptMax = 64;
/** Requests to the controller at once, for lists that are not kept. */
export const tokensAskedMax = 8;
const deadlineMs = 10_000;

export interface TokenSourceOptions {
  readonly tokenFile: string;
  readonly ownId: SpiffeId;
  readonly trustDomain: TrustDomain;
  readonly authorities: () => readonly JwtAuthority[];
  /** A connection without an identity, to a controller that proves its own. */
  readonly connect: () => ControllerConnection;
  readonly clock: Clock;
}

interface Kept {
  readonly svid: string;
  /** Milliseconds since the Unix epoch, and of the monotonic clock: it is good while both say so. */
  readonly freshUntil: number;
  readonly freshUntilMonotonic: number;
}

export class TokenSource {
  readonly #options: TokenSourceOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Map<string, Promise<string>>();

  constructor(options: TokenSourceOptions) {
    this.#options = options;
  }

  /** A token for these audiences; rejects with RpcError. */
  async get(audiences: readonly string[]): Promise<string> {
    const wanted = [...new Set(audiences)];
    const key = JSON.stringify(wanted);
    const { clock } = this.#options;
    const kept = this.#kept.get(key);
    if (
      kept !== undefined &&
      clock.now() < kept.freshUntil &&
      clock.monotonic() < kept.freshUntilMonotonic
    ) {
      return kept.svid;
    }
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    if (this.#asked.size >= tokensAskedMax) {
      const state = `${tokensAskedMax} tokens are being asked for; try again`;
      throw new RpcError("resource_exhausted", `Cannot serve: ${state}`);
    }
    const asking = this.#ask(key, wanted).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #ask(key: string, audiences: readonly string[]): Promise<string> {
    const { tokenFile, connect, clock } = this.#options;
    const token = await readToken(tokenFile).catch((thrown: unknown) => {
      throw new RpcError("unavailable", `Cannot serve: ${messageOf(thrown)}`, { cause: thrown });
    });
    const connection = connect();
    try {
      const { svid } = await connection.issueJwt({ token, audiences }, deadlineMs);
      const now = clock.now();
      const lifeMs = this.#check(svid, audiences, now) - now;
      this.#keep(key, {
        svid,
        freshUntil: now + lifeMs / 2,
        freshUntilMonotonic: clock.monotonic() + lifeMs / 2,
      });
      return svid;
    } finally {
      connection.close();
    }
  }

  /** When it ends; throws RpcError unless it is ours, by a key of the bundle. */
  #check(svid: string, audiences: readonly string[], now: number): number {
    const { authorities, trustDomain, ownId } = this.#options;
    let expiresAt = Infinity;
    for (const audience of audiences) {
      try {
        const rules = { authorities: authorities(), trustDomain, audience, now };
        const { id, expiresAtS } = verifyJwtSvid(svid, rules);
        if (id !== ownId) throw new Error(`it is for "${id}"`);
        expiresAt = Math.min(expiresAt, expiresAtS * 1000);
      } catch (cause) {
        const state = `what the controller issued: ${messageOf(cause)}`;
        throw new RpcError("unavailable", `Cannot use ${state}`, { cause });
      }
    }
    return expiresAt;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    const oldest = this.#kept.size >= tokensKeptMax ? this.#kept.keys().next().value : undefined;
    if (oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, kept);
  }
}
