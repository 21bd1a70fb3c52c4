// What the mesh trusts and hangs from now, by the record that is stored. Another record is taken up in one
// order: first an issuer under it that is proven, then the bundle that is told, then our own certificate.
// A record that cannot be used is said and left alone: the last good one stays in force.
import type { IssuerSource } from "#/ca/issuer.ts";
import type { Authority } from "#/ca/authority-certificate.ts";
import { readAuthority } from "#/ca/authority-pem.ts";
import type { TrustBundle } from "#/api/discovery.ts";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import type { AuthorityStore, Stored } from "./custody.ts";
import { tellCustody, unusable } from "./custody.ts";
import { bundleResource } from "./index/snapshot.ts";

export interface Trust {
  readonly stored: Stored;
  readonly bundle: TrustBundle;
  /** By which a sidecar acknowledges this very bundle. */
  readonly bundleVersion: string;
  /** SHA-256 of the intermediate that issuers hang from. */
  readonly authority: string;
  readonly intermediate: Authority;
  /** Its life, milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Throws IdentityError or CaError for texts that cannot be read. */
export function readTrust(stored: Stored, trustDomain: TrustDomain): Trust {
  const { record } = stored;
  const roots = parsePem(record.roots.join(""));
  const intermediate = readAuthority(record.intermediate, record.intermediateKey);
  const authority = fingerprint(intermediate.certificate);
  const bundle = { trustDomain, roots, authority };
  const { notBefore, notAfter } = readCertificate(intermediate.certificate);
  const { version: bundleVersion } = bundleResource(bundle);
  return { stored, bundle, bundleVersion, authority, intermediate, notBefore, notAfter };
}

/** What is said of it at each start and each change. */
export function tellTrust({ stored, bundle, notAfter }: Trust, log: Log): void {
  const facts = {
    roots: bundle.roots.map((root) => fingerprint(root)),
    intermediate_not_after: new Date(notAfter).toISOString(),
  };
  tellCustody(stored, facts, log);
}

export interface TrustKeeperOptions {
  readonly store: Pick<AuthorityStore, "stored">;
  readonly issuer: Pick<IssuerSource, "rehang">;
  /** Set here alone. Whoever listens has heard of it before our own certificate changes. */
  readonly trust: Watch<Trust>;
  /** Makes our own certificate anew, under the issuer of now. */
  readonly renewOwn: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until what could not be taken up is tried again. */
const againMs = 2_000;

export class TrustKeeper implements Disposable {
  /** Taken up whole, our own certificate with it. */
  readonly taken: Watch<Stored>;
  readonly #options: TrustKeeperOptions;
  readonly #stopListening: () => void;
  #cancel: () => void = () => {};
  #fault = "";
  #isTaking = false;
  #isStopped = false;

  constructor(options: TrustKeeperOptions) {
    this.#options = options;
    this.taken = new Watch(options.trust.get().stored);
    this.#stopListening = options.store.stored.onChange(() => void this.#take());
    void this.#take();
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#cancel();
    this.#stopListening();
  }

  /** One after the other; those that were passed by while one was taken up are left out. */
  async #take(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    let isUsed = true;
    while (isUsed && !this.#isStopped) {
      const stored = this.#options.store.stored.get();
      if (stored === this.taken.get()) break;
      isUsed = await this.#use(stored);
    }
    this.#isTaking = false;
    if (!isUsed) this.#cancel = this.#options.clock.after(againMs, () => void this.#take());
  }

  async #use(stored: Stored): Promise<boolean> {
    const { issuer, trust, renewOwn, log } = this.#options;
    const before = trust.get();
    try {
      const { authority } = before;
      const next = readTrust(stored, before.bundle.trustDomain);
      const isOther = next.authority !== authority;
      if (isOther || next.bundleVersion !== before.bundleVersion) {
        await issuer.rehang({ roots: next.bundle.roots, intermediate: next.intermediate });
        tellTrust(next, log);
      }
      if (this.#isStopped) return false;
      trust.set(next);
      if (isOther) await renewOwn();
      this.taken.set(stored);
      const { rotation } = stored.record;
      if (rotation !== null) {
        const { id, of, step, isAborting } = rotation;
        log.info("rotation's step taken up", { rotation: id, of, step, aborting: isAborting });
      }
      this.#fault = "";
      return true;
    } catch (thrown) {
      const { message, next } = unusable(stored, thrown);
      if (message !== this.#fault) {
        log.error("authority not taken up, the last good one stays", { reason: message, next });
      }
      this.#fault = message;
      return false;
    }
  }
}
