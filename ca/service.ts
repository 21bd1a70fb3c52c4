// The authority: one way from a request to a certificate, and no other (attack case 55). Each line of
// `issue` is one refusal, in the order in which an attacker meets them: what is cheap and needs no
// secret first, the token before anything of the request is read, the ledger before the reply.
import { createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { IssueResponse, LogReceipt } from "#/api/identity.ts";
import { csrBytesMax, readCsr } from "#/identity/csr.ts";
import type { CsrFacts } from "#/identity/csr.ts";
import { partsOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { LeafFacts, Svid } from "#/identity/svid.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { attest } from "./attest.ts";
import type { AttestOptions } from "./attest.ts";
import { CaError } from "./ca-error.ts";
import { checkIssued } from "./issued-check.ts";
import type { Issuer, IssuerSource } from "./issuer.ts";
import { entryText } from "./ledger/entry-text.ts";
import type { LedgerEntry } from "./ledger/entry.ts";
import type { HeadSigner } from "./ledger/head-signer.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { CaMetrics } from "./metrics.ts";
import { checkBinding, checkRequest } from "./request-check.ts";
import { keyFingerprint, serialBytes, signLeaf } from "./signer.ts";
import { checkLifetime, leafTemplate } from "./template.ts";

export interface CertifyRequest {
  /** PKCS#10, DER: with a key that was never certified, made for this token; see createCsr. */
  readonly csr: Uint8Array;
  /** The workload's token for the audience "signet-ca". */
  readonly token: string;
  /** Seconds asked for; 0 asks for the default. */
  readonly lifetimeS: number;
  /** A serving certificate is asked for, see CertificateAuthorityOptions.servingNames. */
  readonly serving: boolean;
  /** Where the connection comes from, without port. */
  readonly peerAddress: string;
}

/** This process's own workload: it holds the authority, so nobody has to vouch for it. */
export interface OwnWorkload {
  readonly id: SpiffeId;
  readonly pod: string;
  readonly podUid: string;
  readonly address: string;
}

export interface CertificateAuthorityOptions {
  readonly issuer: Pick<IssuerSource, "current">;
  /** How a token becomes an identity. */
  readonly attestation: AttestOptions;
  readonly ledger: Pick<Ledger, "append">;
  /** Signs the ledger's heads. */
  readonly heads: Pick<HeadSigner, "sign">;
  readonly metrics: CaMetrics;
  /** DER of every trusted root, as they are now; handed out with each certificate. */
  readonly roots: () => readonly Uint8Array[];
  /** Seconds, 30 to 86400; default 900. */
  readonly lifetimeDefaultS: number;
  /** DNS names of the mesh's own services, by whoever may serve under them. */
  readonly servingNames: ReadonlyMap<SpiffeId, readonly string[]>;
  readonly clock: Clock;
  /** Random bytes of this length, unpredictable. */
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: Log;
}

/** Who is certified, as the log tells it. */
type Subject = Pick<
  LedgerEntry,
  "namespace" | "serviceAccount" | "pod" | "podUid" | "node" | "policy" | "address" | "tokenHash"
> & {
  readonly id: SpiffeId;
  /** Not empty: of a serving certificate. */
  readonly dnsNames: readonly string[];
};

interface Signed {
  readonly leaf: Uint8Array;
  readonly facts: LeafFacts;
  readonly issuer: Issuer;
  readonly receipt: LogReceipt;
}

export class CertificateAuthority {
  readonly #options: CertificateAuthorityOptions;

  constructor(options: CertificateAuthorityOptions) {
    checkLifetime(options.lifetimeDefaultS);
    this.#options = options;
  }

  /** Issues a certificate for the workload that the token proves; rejects with CaError. */
  async certify(request: CertifyRequest): Promise<IssueResponse> {
    const { metrics, clock, log, roots } = this.#options;
    const startedAt = clock.monotonic();
    try {
      const { leaf, facts, issuer, receipt } = await this.#certify(request);
      metrics.issued.add();
      log.info("certificate issued", {
        id: facts.id,
        serial: facts.serial,
        "src.addr": request.peerAddress,
        log_index: receipt.index,
      });
      return {
        certificateChain: [leaf, ...issuer.chain],
        trustBundle: roots(),
        notAfter: facts.notAfter,
        receipt,
      };
    } catch (thrown) {
      const reason = thrown instanceof CaError ? thrown.code : "internal";
      metrics.refused.with(reason).add();
      log.warn("certificate refused", {
        reason,
        detail: messageOf(thrown),
        "src.addr": request.peerAddress,
      });
      throw thrown;
    } finally {
      metrics.durationSeconds.observe((clock.monotonic() - startedAt) / 1000);
    }
  }

  /** A certificate for this very process, with a key that its caller made; rejects with CaError. */
  async issueOwn(privateKey: KeyObject, own: OwnWorkload): Promise<Svid> {
    const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
    const { namespace, serviceAccount } = partsOf(own.id);
    const policy = policyText("identity", "own process", 0);
    const who = { ...own, namespace, serviceAccount, node: "", policy, tokenHash: "" };
    const subject = { ...who, dnsNames: [] };
    const { leaf, facts, issuer, receipt } = await this.#sign(subject, publicKey, 0);
    const { id, notBefore, notAfter, serial } = facts;
    return {
      id,
      chain: [leaf, ...issuer.chain],
      privateKey,
      notBefore,
      notAfter,
      serial,
      logIndex: receipt.index,
    };
  }

  async #certify(request: CertifyRequest): Promise<Signed> {
    const { attestation, issuer } = this.#options;
    issuer.current();
    if (request.lifetimeS !== 0) checkLifetime(request.lifetimeS);
    checkSize(request.csr);
    const attested = await attest(request.token, request.peerAddress, attestation);
    const csr = readRequest(request.csr);
    checkBinding(csr, request.token);
    checkRequest(csr, attested.id);
    const dnsNames = request.serving ? this.#namesOf(attested.id) : [];
    const purpose = request.serving ? "serving" : "identity";
    const policy = policyText(purpose, attested.attestedBy, request.lifetimeS);
    const subject = { ...attested, pod: attested.podName, policy, dnsNames };
    return this.#sign(subject, csr.publicKey, request.lifetimeS);
  }

  #namesOf(id: SpiffeId): readonly string[] {
    const names = this.#options.servingNames.get(id);
    if (names !== undefined) return names;
    throw new CaError("serving_not_granted", `Cannot issue for "${id}": it serves under no name`);
  }

  async #sign(subject: Subject, publicKey: Uint8Array, lifetimeS: number): Promise<Signed> {
    const { lifetimeDefaultS, clock, randomBytes, ledger, heads } = this.#options;
    const issuer = this.#options.issuer.current();
    const now = clock.now();
    const { id, dnsNames } = subject;
    const asked = { id, dnsNames, publicKey, lifetimeS };
    const template = leafTemplate({ ...asked, lifetimeDefaultS, now, issuer });
    const leaf = signLeaf(template, issuer, randomBytes(serialBytes));
    const facts = checkIssued(leaf, template, issuer);
    const { namespace, serviceAccount, pod, podUid, node, policy, address, tokenHash } = subject;
    const entry: LedgerEntry = {
      id,
      namespace,
      serviceAccount,
      pod,
      podUid,
      node,
      policy,
      address,
      tokenHash,
      issuedAt: now,
      notBefore: facts.notBefore,
      notAfter: facts.notAfter,
      serial: facts.serial,
      issuerSerial: issuer.serial,
      keyFingerprint: keyFingerprint(publicKey),
      certificate: leaf,
    };
    const { index, path, tree } = await ledger.append(entry);
    const checkpoint = heads.sign(tree, issuer);
    const receipt = { index, checkpoint, entry: Buffer.from(entryText(entry)), path };
    return { leaf, facts, issuer, receipt };
  }
}

/** Under what a certificate is issued, for the log: what it is for, who vouched, and who chose its life. */
function policyText(
  purpose: "identity" | "serving",
  attestedBy: string,
  lifetimeS: number,
): string {
  const life = lifetimeS === 0 ? "default life" : `asked for ${lifetimeS} s`;
  return `${purpose}; ${attestedBy}; ${life}`;
}

/** Before the token is looked at: nobody may make us keep a megabyte for it (attack case 4). */
function checkSize(csr: Uint8Array): void {
  if (csr.length <= csrBytesMax) return;
  const sizes = `${csr.length} bytes are more than ${csrBytesMax}`;
  throw new CaError("csr_invalid", `Cannot read CSR: ${sizes}`);
}

function readRequest(csr: Uint8Array): CsrFacts {
  try {
    return readCsr(csr);
  } catch (thrown) {
    if (!(thrown instanceof MeshError)) throw thrown;
    throw new CaError("csr_invalid", thrown.message, { cause: thrown, next: thrown.next });
  }
}
