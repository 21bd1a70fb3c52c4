// Is a cluster fit for the mesh, and is the mesh on it well? Decided from facts alone, except for what each
// sidecar and each controller says of itself.
import { messageOf } from "#/lib/errors.ts";
import { signetVersion } from "#/lib/version.ts";
import type { KubernetesObject, Mesh } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { counted, formatDuration } from "../text.ts";
import type { ClusterFacts, PodFacts, Replicas } from "./cluster-facts.ts";
import { failed, passed, told } from "./findings.ts";
import type { Finding } from "./findings.ts";
import { checkAuthorities } from "./authorities.ts";
import { checkFederation } from "./federation.ts";
import { checkPod } from "./pods.ts";
import { suspendedFindings, suspendedPod, suspensionsOf } from "./suspended.ts";

/** The first with rules (CEL) in custom resources. */
const MINOR_MIN = 25;
/** The first that starts native sidecars without being told to. */
const MINOR_NATIVE = 29;
const INSTALL = "signet install | kubectl apply --server-side -f -";
const INJECT = "signet.dev/inject";
const SIDECAR = "proxy";

export async function checkCluster(
  facts: ClusterFacts,
  mesh: Mesh,
  now: number,
): Promise<readonly Finding[]> {
  const isInstalled = facts.controller !== null || facts.injector !== null;
  if (!isInstalled) {
    const next = `Install it: ${INSTALL}`;
    return [...fitness(facts, false), told("mesh", "the mesh is not installed", next)];
  }
  const isAway = facts.controller?.ready === 0;
  const controllers = isAway ? [] : await checkControllers(mesh, now);
  const authorities = isAway ? [] : await checkAuthorities(mesh, now);
  const federation = isAway ? [] : await checkFederation(mesh, now);
  return [
    ...fitness(facts, true),
    ...parts(facts),
    ...controllers,
    ...authorities,
    ...federation,
    ...refusedPolicies(facts.policies),
    ...withoutSidecar(facts),
    ...(await checkSidecars(mesh, now)),
  ];
}

/** Pure: what installing takes. */
export function fitness(facts: ClusterFacts, isInstalled: boolean): readonly Finding[] {
  const { version, forbidden, knowsRoutes } = facts;
  const minor = Number(/^v1\.(\d+)/.exec(version)?.[1] ?? 0);
  const findings: Finding[] = [];
  if (minor < MINOR_MIN) {
    const next = `Upgrade it: the mesh needs 1.${MINOR_MIN}`;
    findings.push(failed("cluster", `Kubernetes ${version} is too old`, next));
  } else if (minor < MINOR_NATIVE) {
    const next = "Set SIGNET_SIDECAR_FORM=classic for the injector: it has no native sidecars";
    findings.push(told("cluster", `Kubernetes ${version}`, next));
  } else findings.push(passed("cluster", `Kubernetes ${version}`));
  if (!isInstalled) {
    findings.push(
      forbidden.length === 0
        ? passed("cluster", "you may install the mesh")
        : failed(
            "cluster",
            `you may not create ${forbidden.join(", ")}`,
            "Ask an administrator of the cluster for that, or to install the mesh",
          ),
    );
  }
  findings.push(
    knowsRoutes
      ? passed("cluster", "HTTPRoute is there, for weights and retries")
      : told(
          "cluster",
          "no HTTPRoute: everything works but weights, retries and timeouts",
          "For those, install the Gateway API: https://gateway-api.sigs.k8s.io/guides/getting-started",
        ),
  );
  return findings;
}

/** Pure: the mesh's own processes and registrations. */
export function parts(facts: ClusterFacts): readonly Finding[] {
  const { controller, injector, webhooks, knowsPolicies, hasBundle } = facts;
  const findings = [
    replicas("signet-controller", "StatefulSet", controller),
    replicas("signet-injector", "Deployment", injector),
  ];
  findings.push(
    knowsPolicies
      ? passed("mesh", "PeerAuthentication is there")
      : failed("mesh", "no PeerAuthentication: nobody can enforce strict mode", `Run: ${INSTALL}`),
  );
  const bare = [...(webhooks ?? [])].filter(([, hasBundleOfCa]) => !hasBundleOfCa);
  if (webhooks === null) {
    findings.push(failed("mesh", "no webhook: no pod gets a sidecar", `Run: ${INSTALL}`));
  } else if (bare.length > 0) {
    const what = `webhook ${bare.map(([name]) => name).join(", ")} has no caBundle`;
    const next = "See: kubectl logs -n signet-system deployment/signet-injector";
    findings.push(failed("mesh", what, next));
  } else findings.push(passed("mesh", "the webhooks are registered"));
  const bundleNext = "See: kubectl logs -n signet-system signet-controller-0";
  findings.push(
    hasBundle
      ? passed("mesh", "the trust bundle is published")
      : failed("mesh", "no trust bundle is published: no sidecar can start", bundleNext),
  );
  return findings;
}

function replicas(name: string, kind: string, found: Replicas | null): Finding {
  if (found === null) return failed("mesh", `no ${kind} ${name}`, `Run: ${INSTALL}`);
  const { wanted, ready } = found;
  const what = `${name}: ${ready} of ${counted(wanted, "replica")} ready`;
  if (ready === wanted && wanted > 0) return passed("mesh", what);
  const next = `See: kubectl describe pod -n signet-system -l app.kubernetes.io/name=${name}`;
  return failed("mesh", what, next);
}

async function checkControllers(mesh: Mesh, now: number): Promise<readonly Finding[]> {
  try {
    return (await mesh.inspect("/v1/controller")).map((answer) => {
      const { pod, version, issuer } = answer as ControllerView;
      const end = issuer === null ? 0 : Date.parse(issuer.notAfter);
      if (!(end > now)) {
        const next = `See: ${mesh.logsHint(`signet-system/${pod}`, null)}`;
        return failed("mesh", `${pod} has no valid issuer: it certifies nobody`, next);
      }
      const what = `${pod} (${version}) answers, its issuer lives ${formatDuration(end - now)} more`;
      if (version === signetVersion) return passed("mesh", what);
      return told("mesh", what, `This command line is ${signetVersion}: use the same version`);
    });
  } catch (thrown) {
    const next = "Ask for pods/portforward in signet-system, if that is what is missing";
    return [failed("mesh", `the controllers do not answer: ${messageOf(thrown)}`, next)];
  }
}

interface ControllerView {
  readonly pod: string;
  readonly version: string;
  readonly issuer: { readonly notAfter: string } | null;
}

/** Pure: objects that their writer would believe to be in force. */
export function refusedPolicies(policies: readonly KubernetesObject[]): readonly Finding[] {
  return policies.flatMap((policy) => {
    const status = policy["status"] as { readonly conditions?: readonly Condition[] } | undefined;
    const refused = status?.conditions?.find(
      ({ type, status: held }) => type === "Accepted" && held === "False",
    );
    if (refused === undefined) return [];
    const { namespace = "", name } = policy.metadata;
    const what = `PeerAuthentication ${namespace}/${name} is not in force: ${refused.message}`;
    return [
      failed("mesh", what, `Correct it: kubectl edit peerauthentication -n ${namespace} ${name}`),
    ];
  });
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

const systemNamespaces: ReadonlySet<string> = new Set([
  "kube-system",
  "kube-public",
  "kube-node-lease",
  "signet-system",
]);

/** Pure: each pod that asks for a sidecar, by itself or by its namespace's label, and has none. */
export function withoutSidecar({ namespaces, pods }: ClusterFacts): readonly Finding[] {
  const labelled = new Set(
    namespaces
      .filter(({ metadata }) => metadata.labels?.[INJECT] === "enabled")
      .map(({ metadata }) => metadata.name),
  );
  const bare = pods.filter((pod) => asks(pod, labelled) && !hasSidecar(pod));
  return bare.map(({ metadata: { namespace = "", name, labels } }) => {
    const why = labelled.has(namespace)
      ? `namespace ${namespace} is labelled`
      : "its label says so";
    const job = labels?.["batch.kubernetes.io/job-name"] !== undefined;
    const next = job
      ? "Run its Job again: pods that were there before the label keep what they had"
      : `Restart its workload: kubectl rollout restart -n ${namespace} deployment,statefulset,daemonset`;
    return failed("mesh", `${namespace}/${name} has no sidecar, and asks for one: ${why}`, next);
  });
}

function asks({ metadata, spec, status }: PodFacts, labelled: ReadonlySet<string>): boolean {
  const { namespace = "", labels = {}, annotations = {}, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return false;
  if (systemNamespaces.has(namespace) || spec.hostNetwork === true) return false;
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return false;
  const said = new Set([labels[INJECT], annotations[INJECT]]);
  if (said.has("disabled")) return false;
  return labelled.has(namespace) || said.has("enabled") || labels["service-mesh"] === "enabled";
}

function hasSidecar({ spec }: PodFacts): boolean {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])].some(
    ({ name }) => name === SIDECAR,
  );
}

async function checkSidecars(mesh: Mesh, now: number): Promise<readonly Finding[]> {
  const meshed = (await mesh.pods()).filter(({ isMeshed }) => isMeshed);
  meshed.sort((one, other) => (podName(one) < podName(other) ? -1 : 1));
  const suspensions = await suspensionsOf(mesh);
  const each = await Promise.all(
    meshed.map(async (pod) => suspendedPod(pod, suspensions) ?? checkPod(mesh, pod, now)),
  );
  return [...suspendedFindings(suspensions), ...each];
}
