// The issuing authority of this process: a P-256 key that lives in memory and nowhere else, certified
// for 24 hours by the intermediate, replaced long before its end. Before a new issuer is used it signs
// a leaf for trial, and the whole chain is verified as a sidecar would.
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { fingerprint } from "#/identity/bundle.ts";
import { extensionOf, readCertificate } from "#/identity/certificate.ts";
import { readName } from "#/identity/names.ts";
import { oid } from "#/identity/object-identifiers.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { verifyChain } from "#/identity/verify.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { Clock } from "#/lib/clock.ts";
import { readOctetString } from "#/lib/der.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { createIssuer, isKeyOf } from "./authority-certificate.ts";
import type { Authority } from "./authority-certificate.ts";
import { CaError } from "./ca-error.ts";
import { signLeaf } from "./signer.ts";
import { backdateMs } from "./template.ts";

/** An issuer that can sign now. */
export interface Issuer {
  /** DER: issuer first, then what leads to the root, without the root. */
  readonly chain: readonly Uint8Array[];
  /** DER of the subject. */
  readonly subject: Uint8Array;
  readonly keyId: Uint8Array;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Lower-case hex. */
  readonly serial: string;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IssuerOptions {
  readonly trustDomain: TrustDomain;
  /** Certified by a root in `roots`; path length at least 1. */
  readonly intermediate: Authority;
  /** DER of every trusted root. */
  readonly roots: readonly Uint8Array[];
  readonly clock: Clock;
  /** Random bytes of this length, unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Milliseconds; default 24 hours. */
  readonly lifeMs?: number;
}

const issuerLifeMs = 86_400_000;
/** From here on each new issuer is told with a warning: whoever has the root needs some notice. */
const intermediateLeftMsMin = 30 * 86_400_000;
/** Renewed when this share of its life is over: leaves of 16 hours are then never cut short. */
const renewalShare = 1 / 3;
const retryBackoff = { baseMs: 1_000, maxMs: 60_000 };

export class IssuerSource {
  #options: IssuerOptions;
  #current: Issuer;
  #failures = 0;
  #cancel: () => void = () => {};
  #stopped = false;

  /** Makes the first issuer; rejects with CaError when the intermediate cannot certify one. */
  static async start(options: IssuerOptions): Promise<IssuerSource> {
    return new IssuerSource(options, await makeIssuer(options));
  }

  private constructor(options: IssuerOptions, first: Issuer) {
    this.#options = options;
    this.#current = first;
    this.#scheduleRenewal();
  }

  /**
   * Another intermediate, or other roots: a new issuer is made under them and proven before it takes the
   * place of the present one. Rejects with CaError when that cannot be; then nothing has changed.
   */
  async rehang({
    roots,
    intermediate,
  }: Pick<IssuerOptions, "roots" | "intermediate">): Promise<void> {
    const options = { ...this.#options, roots, intermediate };
    const next = await makeIssuer(options);
    this.#options = options;
    this.#use(next);
  }

  /** Throws CaError `issuer_expired` when its life is over: better nothing than what nobody accepts. */
  current(): Issuer {
    if (this.#options.clock.now() < this.#current.notAfter) return this.#current;
    throw new CaError("issuer_expired", "Cannot issue: the issuer has expired", {
      next: "See the log for why it was not renewed; the intermediate may have ended",
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #scheduleRenewal(): void {
    const { clock } = this.#options;
    const now = clock.now();
    this.#schedule(Math.max(1_000, (this.#current.notAfter - now) * renewalShare));
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#renew().catch((error: unknown) => this.#failed(error));
    });
  }

  async #renew(): Promise<void> {
    const options = this.#options;
    const next = await makeIssuer(options);
    // Hung elsewhere meanwhile: that one is as new.
    if (options === this.#options) this.#use(next);
  }

  #use(next: Issuer): void {
    this.#failures = 0;
    this.#current = next;
    this.#options.log.info("issuer renewed", {
      serial: next.serial,
      not_after: new Date(next.notAfter).toISOString(),
    });
    this.#scheduleRenewal();
  }

  #failed(error: unknown): void {
    const { log, random, clock } = this.#options;
    log.error("issuer not renewed", {
      reason: messageOf(error),
      expires_in_ms: this.#current.notAfter - clock.now(),
    });
    this.#schedule(backoffDelayMs(retryBackoff, this.#failures, random()));
    this.#failures += 1;
  }
}

/**
 * How an issuer's name says which intermediate it hangs from, by that one's fingerprint: so each leaf of
 * ours says it, too, long after its issuer is forgotten.
 */
function underName(authority: string): string {
  return `under ${authority.slice(0, 16)}`;
}

/** Whether a leaf that we issued (DER) hangs from the intermediate of that fingerprint. */
export function hangsFrom(leaf: Uint8Array, authority: string): boolean {
  const name = readName(readCertificate(leaf).issuer).at(-1);
  return new TextDecoder().decode(name?.value.content).endsWith(` ${underName(authority)}`);
}

async function makeIssuer(options: IssuerOptions): Promise<Issuer> {
  const { intermediate, trustDomain, clock, randomBytes } = options;
  if (!isKeyOf(intermediate)) {
    throw new CaError("authority_invalid", "Cannot make an issuer: the key is another's", {
      next: "See that intermediate.crt and intermediate.key belong together",
    });
  }
  const parent = readCertificate(intermediate.certificate);
  const now = clock.now();
  const notAfter = Math.min(now + (options.lifeMs ?? issuerLifeMs), parent.notAfter);
  if (notAfter <= now) {
    throw new CaError("issuer_expired", "Cannot make an issuer: the intermediate has expired", {
      next: "Have the root sign a new intermediate",
    });
  }
  if (parent.notAfter - now < intermediateLeftMsMin) {
    options.log.warn("the intermediate ends soon, and with it all issuing", {
      not_after: new Date(parent.notAfter).toISOString(),
    });
  }
  const own = Buffer.from(randomBytes(4)).toString("hex");
  const name = `signet issuer ${own} ${underName(fingerprint(intermediate.certificate))}`;
  const notBefore = Math.max(now - backdateMs, parent.notBefore);
  const authority = await createIssuer(intermediate, { name, trustDomain, notBefore, notAfter });
  const issuer = asIssuer(authority, intermediate);
  prove(issuer, options);
  return issuer;
}

function asIssuer({ certificate, privateKey }: Authority, intermediate: Authority): Issuer {
  const own = readCertificate(certificate);
  const keyId = extensionOf(own, oid.subjectKeyIdentifier);
  if (keyId === null) throw new CaError("authority_invalid", "Cannot use issuer: it has no key id");
  return {
    chain: [certificate, intermediate.certificate],
    subject: own.subject.whole,
    keyId: readOctetString(keyId.value),
    privateKey,
    publicKey: createPublicKey(privateKey),
    serial: own.serial,
    notBefore: own.notBefore,
    notAfter: own.notAfter,
  };
}

/** Signs a leaf for a key that is thrown away and verifies the chain up to the root. */
function prove(issuer: Issuer, { trustDomain, roots, clock, randomBytes }: IssuerOptions): void {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const trial = signLeaf(
    {
      id: workloadId(trustDomain, "signet-system", "signet-trial"),
      dnsNames: [],
      publicKey: publicKey.export({ type: "spki", format: "der" }),
      notBefore: issuer.notBefore,
      notAfter: issuer.notAfter,
    },
    issuer,
    randomBytes(16),
  );
  try {
    verifyChain([trial, ...issuer.chain], roots, clock.now(), { trustDomain, purpose: "server" });
  } catch (thrown) {
    throw new CaError(
      "authority_invalid",
      `Cannot use issuer: its chain does not verify: ${messageOf(thrown)}`,
      { cause: thrown, next: "See that the intermediate was signed by a root of the bundle" },
    );
  }
}
