// The control side of a sidecar as it ships, in process: it is certified, subscribes, renews, and follows
// the mesh's authorities, with whichever controller the site has.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { connectController } from "#/api/connect.ts";
import type { Controller } from "#/controller/app.ts";
import { fingerprint } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { verifyChain } from "#/identity/verify.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { Certifier } from "#/proxy/control/certify.ts";
import { DiscoveryWatch } from "#/proxy/control/discovery-watch.ts";
import { ProxyMetrics } from "#/proxy/observe/metrics.ts";
import type { Site } from "./controller-site.ts";

const trustDomain = parseTrustDomain("cluster.local");
const controllerId = parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/signet-controller");
const ownId = parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a");

export interface LiveSidecarOptions {
  readonly site: Site;
  /** The one that runs now. */
  readonly controller: () => Controller;
  readonly bundleFile: string;
  /** Fingerprints of roots. */
  readonly pins: readonly string[];
}

/** Of the pod "app-a/a-1". */
export class LiveSidecar implements Disposable {
  readonly certifier: Certifier;
  readonly discovery: DiscoveryWatch;

  static async start(options: LiveSidecarOptions): Promise<LiveSidecar> {
    const tokenFile = path.join(options.site.folder, "token");
    writeFileSync(tokenFile, await options.site.token());
    return new LiveSidecar(options, tokenFile);
  }

  private constructor(options: LiveSidecarOptions, tokenFile: string) {
    const { bundleFile: trustBundleFile, pins: rootFingerprints } = options;
    const connect = (roots: readonly Uint8Array[], svid: Svid | null) =>
      connectController({
        address: `127.0.0.1:${options.controller().grpcPort}`,
        roots,
        svid,
        expectedIdentity: controllerId,
        clock: systemClock,
      });
    const random = (): number => 0;
    const common = { clock: systemClock, random, log: silentLog };
    const config = { tokenFile, trustBundleFile, rootFingerprints, trustDomain };
    this.certifier = new Certifier({
      config: { ...config, svidLifetimeSeconds: 0 },
      ownId,
      metrics: new ProxyMetrics(),
      connect,
      ...common,
    });
    this.discovery = new DiscoveryWatch({
      pod: { namespace: "app-a", name: "a-1", uid: "uid-a" },
      svid: this.certifier.svid,
      connect: (svid) => connect(this.certifier.roots(), svid),
      ...common,
    });
    this.discovery.snapshot.onChange(({ bundle }, previous) => {
      if (bundle !== null && bundle !== previous.bundle) this.certifier.trust(bundle);
    });
  }

  /** Fingerprints of what it trusts. */
  roots(): readonly string[] {
    return this.certifier.roots().map((root) => fingerprint(root));
  }

  /** Serial of the certificate that it shows; empty while it has none. */
  serial(): string {
    const leaf = this.certifier.svid.get()?.chain[0];
    return leaf === undefined ? "" : readCertificate(leaf).serial;
  }

  /** Whether whoever trusts `roots` accepts it. Throws IdentityError when not. */
  prove(roots: readonly Uint8Array[]): void {
    const chain = this.certifier.svid.get()?.chain ?? [];
    verifyChain(chain, roots, Date.now(), { trustDomain, purpose: "server" });
  }

  [Symbol.dispose](): void {
    this.discovery.stop();
    this.certifier.stop();
  }
}
