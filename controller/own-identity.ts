// The controller's own certificate: from its own CA, renewed after a third of its life with a new key.
import { generateKeyPairSync } from "node:crypto";
import type { CertificateAuthority, OwnWorkload } from "#/ca/service.ts";
import { renewalAtMs } from "#/identity/renewal.ts";
import type { Svid } from "#/identity/svid.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";

export interface OwnIdentityOptions {
  readonly authority: CertificateAuthority;
  readonly workload: OwnWorkload;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

const retryBackoff = { baseMs: 1_000, maxMs: 30_000 };

/** Rejects when the first one cannot be issued; later failures keep the last good one. */
export async function keepOwnIdentity(
  options: OwnIdentityOptions,
  onRenewed: (svid: Svid) => void,
): Promise<{ readonly first: Svid } & Disposable> {
  const { authority, workload, clock, random, log } = options;
  let cancel = (): void => {};
  let failures = 0;
  const issueOne = (): Promise<Svid> => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return authority.issueOwn(privateKey, workload);
  };
  const schedule = (svid: Svid): void => {
    const life = { issuedAt: clock.now(), notAfter: svid.notAfter };
    cancel = clock.after(Math.max(0, renewalAtMs(life, random()) - clock.now()), renew);
  };
  const renew = (): void => {
    issueOne().then(
      (svid) => {
        failures = 0;
        schedule(svid);
        onRenewed(svid);
      },
      (error: unknown) => {
        log.error("own certificate not renewed", { reason: messageOf(error) });
        cancel = clock.after(backoffDelayMs(retryBackoff, failures, random()), renew);
        failures += 1;
      },
    );
  };
  const first = await issueOne();
  schedule(first);
  return { first, [Symbol.dispose]: () => cancel() };
}
