// The controller's own certificate: issued by its own authority in this process, a new key each time,
// renewed after a third of its life. When a renewal fails the last one stays until its end, and with
// it ends what sidecars accept.
import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { CertificateAuthority, OwnWorkload } from "#/ca/service.ts";
import { renewalAtMs } from "#/identity/renewal.ts";
import type { Svid } from "#/identity/svid.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";

export interface OwnIdentityOptions {
  readonly authority: Pick<CertificateAuthority, "issueOwn">;
  readonly own: OwnWorkload;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

const retryBackoff = { baseMs: 1_000, maxMs: 30_000 };
const newKeys = promisify(generateKeyPair);

export class OwnIdentity implements Disposable {
  readonly svid: Watch<Svid>;
  readonly #options: OwnIdentityOptions;
  #failures = 0;
  #isStopped = false;
  #cancel: () => void = () => {};

  /** Rejects with CaError when the authority cannot issue the first one. */
  static async start(options: OwnIdentityOptions): Promise<OwnIdentity> {
    return new OwnIdentity(options, await issue(options));
  }

  private constructor(options: OwnIdentityOptions, first: Svid) {
    this.#options = options;
    this.svid = new Watch(first);
    this.#scheduleRenewal();
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** At once, and not when it would be due. Rejects with CaError; then the last one stays, and is retried. */
  async renew(): Promise<void> {
    this.#cancel();
    this.#scheduleRenewal();
    const next = await issue(this.#options);
    if (this.#isStopped) return;
    this.#cancel();
    this.svid.set(next);
    this.#scheduleRenewal();
  }

  #scheduleRenewal(): void {
    const { clock, random } = this.#options;
    const now = clock.now();
    const { notAfter } = this.svid.get();
    this.#schedule(renewalAtMs({ issuedAt: now, notAfter }, random()) - now);
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(Math.max(0, delayMs), () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { clock, random, log } = this.#options;
    try {
      const next = await issue(this.#options);
      if (this.#isStopped) return;
      this.#failures = 0;
      this.svid.set(next);
      this.#scheduleRenewal();
    } catch (thrown) {
      log.error("own certificate not renewed", {
        reason: messageOf(thrown),
        expires_in_ms: this.svid.get().notAfter - clock.now(),
      });
      this.#schedule(backoffDelayMs(retryBackoff, this.#failures, random()));
      this.#failures += 1;
    }
  }
}

async function issue({ authority, own }: OwnIdentityOptions): Promise<Svid> {
  const { privateKey } = await newKeys("ec", { namedCurve: "P-256" });
  return authority.issueOwn(privateKey, own);
}
