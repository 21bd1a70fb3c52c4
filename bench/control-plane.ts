// Our controller, as shipped, with the small world to watch and an authority of its own: what sidecars
// need to start, and what issues in the suite `ca`.
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { ensureDevelopmentCertificates } from "#/certs-dev/make.ts";
import { fingerprint } from "#/identity/bundle.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { injectorDefaults } from "#/injector/config.ts";
import type { InjectorConfig } from "#/injector/config.ts";
import { commandOfImage } from "#/local/pod/images.ts";
import { TokenSigner, tokenIssuer } from "#/local/pod/tokens.ts";
import { layout, loadCore, plainUid } from "./layout.ts";
import { launch } from "./process.ts";
import type { Launched } from "./process.ts";
import { serveWorld } from "./world-server.ts";
import { serviceAccountUid, worldObjects } from "./world.ts";
import type { PodFacts } from "./world.ts";

export interface ControlPlaneOptions {
  readonly projectFolder: string;
  /** Absolute; takes authority, ledger, sockets and logs. */
  readonly folder: string;
  readonly namespace: string;
  /** Where the controller runs; beside the load unless it is what is measured. */
  readonly core?: number;
  readonly profileFolder: string | null;
  readonly now: () => number;
  readonly stack: AsyncDisposableStack;
}

export interface ControlPlane {
  readonly controller: Launched;
  /** Of a controller in the same world, with its data in that folder. */
  readonly environmentFor: (dataFolder: string) => Readonly<Record<string, string>>;
  readonly injector: InjectorConfig;
  /** PEM file with the root. */
  readonly bundleFile: string;
  /** DER. */
  readonly root: Uint8Array;
  readonly tokenFor: (pod: PodFacts) => Promise<string>;
}

const trustDomain = "cluster.local";
export const controllerAddress: string = `${layout.controller}:8443`;
/** The longest that the CA believes: no run ends with an expired token. */
const tokenLifetimeSeconds = 3600;

/** What the image runs, with a profiler in front when asked for; `folder` stands for its volumes. */
export function nodeParameters(
  image: string,
  folder: string,
  profileFolder: string | null,
): readonly string[] {
  const profile =
    profileFolder === null
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, "--allow-inspector"];
  return [...profile, `--allow-fs-write=${folder}`, ...commandOfImage(image)];
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { projectFolder, folder, namespace, now, stack } = options;
  for (const name of ["", "/authority", "/data", "/world"]) {
    mkdirSync(`${folder}${name}`, { recursive: true });
    chownSync(`${folder}${name}`, plainUid, plainUid);
  }
  const { root } = await ensureDevelopmentCertificates(
    `${folder}/authority`,
    parseTrustDomain(trustDomain),
  );
  for (const name of ["root.crt", "root.key", "intermediate.crt", "intermediate.key"]) {
    chownSync(`${folder}/authority/${name}`, plainUid, plainUid);
  }
  const signer = new TokenSigner(now);
  writeFileSync(`${folder}/world/jwks.json`, await signer.jwks());
  const injector = {
    ...injectorDefaults,
    trustDomain,
    controllerAddress,
    rootFingerprints: [fingerprint(root.certificate)],
  };
  stack.use(await serveWorld(`${folder}/world/world.sock`, worldObjects(injector)));
  chmodSync(`${folder}/world/world.sock`, 0o777);
  const bundleFile = `${folder}/world/bundle.pem`;
  writeFileSync(bundleFile, readFileSync(`${folder}/authority/root.crt`));
  const environmentFor = (dataFolder: string): Readonly<Record<string, string>> => ({
    POD_NAME: "signet-controller-0",
    POD_IP: layout.controller,
    SIGNET_TRUST_DOMAIN: trustDomain,
    SIGNET_CA_DIRECTORY: `${folder}/authority`,
    SIGNET_DATA_DIRECTORY: dataFolder,
    SIGNET_WORLD: `unix:${folder}/world/world.sock`,
    SIGNET_TOKEN_ISSUER: tokenIssuer,
    SIGNET_TOKEN_JWKS_FILE: `${folder}/world/jwks.json`,
    SIGNET_ADMIN_SOCKET: `${dataFolder}/admin.sock`,
  });
  const controller = stack.use(
    launch({
      placement: { namespace, core: options.core ?? loadCore, uid: plainUid },
      command: process.execPath,
      parameters: nodeParameters("signet/controller", folder, options.profileFolder),
      environment: environmentFor(`${folder}/data`),
      folder: projectFolder,
      outputPath: `${folder}/controller.out`,
      errorPath: `${folder}/controller.err`,
    }),
  );
  const tokenFor = (pod: PodFacts): Promise<string> =>
    signer.sign({
      audience: "signet-ca",
      lifetimeSeconds: tokenLifetimeSeconds,
      namespace: pod.namespace,
      serviceAccount: { name: pod.serviceAccount, uid: serviceAccountUid(pod) },
      pod: { name: pod.name, uid: pod.uid },
    });
  return {
    controller,
    environmentFor,
    injector,
    bundleFile,
    root: root.certificate,
    tokenFor,
  };
}
