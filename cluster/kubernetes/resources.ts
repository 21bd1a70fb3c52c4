// Where the API server has objects of a kind, for those that the mesh's tools speak of.
import { KubernetesError } from "./kubernetes-error.ts";

interface Resource {
  /** "v1", or a group and a version. */
  readonly apiVersion: string;
  readonly plural: string;
  readonly isClusterWide?: true;
}

const resources: Readonly<Record<string, Resource>> = {
  Namespace: { apiVersion: "v1", plural: "namespaces", isClusterWide: true },
  Pod: { apiVersion: "v1", plural: "pods" },
  Service: { apiVersion: "v1", plural: "services" },
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts" },
  ConfigMap: { apiVersion: "v1", plural: "configmaps" },
  Deployment: { apiVersion: "apps/v1", plural: "deployments" },
  StatefulSet: { apiVersion: "apps/v1", plural: "statefulsets" },
  PersistentVolumeClaim: { apiVersion: "v1", plural: "persistentvolumeclaims" },
  PersistentVolume: { apiVersion: "v1", plural: "persistentvolumes", isClusterWide: true },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets" },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies" },
  Role: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "roles" },
  RoleBinding: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "rolebindings" },
  ClusterRole: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    plural: "clusterroles",
    isClusterWide: true,
  },
  ClusterRoleBinding: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    plural: "clusterrolebindings",
    isClusterWide: true,
  },
  HTTPRoute: { apiVersion: "gateway.networking.k8s.io/v1", plural: "httproutes" },
  PeerAuthentication: { apiVersion: "signet.dev/v1alpha1", plural: "peerauthentications" },
  IdentitySuspension: {
    apiVersion: "signet.dev/v1alpha1",
    plural: "identitysuspensions",
    isClusterWide: true,
  },
  FederatedTrustDomain: {
    apiVersion: "signet.dev/v1alpha1",
    plural: "federatedtrustdomains",
    isClusterWide: true,
  },
  CustomResourceDefinition: {
    apiVersion: "apiextensions.k8s.io/v1",
    plural: "customresourcedefinitions",
    isClusterWide: true,
  },
  MutatingWebhookConfiguration: {
    apiVersion: "admissionregistration.k8s.io/v1",
    plural: "mutatingwebhookconfigurations",
    isClusterWide: true,
  },
  ValidatingWebhookConfiguration: {
    apiVersion: "admissionregistration.k8s.io/v1",
    plural: "validatingwebhookconfigurations",
    isClusterWide: true,
  },
};

/** "v1" and the like. Throws KubernetesError for a kind that is not in the table. */
export function apiVersionOf(kind: string): string {
  return resourceOf(kind).apiVersion;
}

/** All objects of a kind, or those of one namespace. */
export function collectionPath(kind: string, namespace: string | null = null): string {
  const { apiVersion, plural, isClusterWide } = resourceOf(kind);
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const isWithin = namespace !== null && isClusterWide !== true;
  return `${root}${isWithin ? `/namespaces/${encodeURIComponent(namespace)}` : ""}/${plural}`;
}

export interface ObjectName {
  readonly kind: string;
  /** Left out of consideration for what has no namespace. */
  readonly namespace: string;
  readonly name: string;
}

export function objectPath({ kind, namespace, name }: ObjectName): string {
  return `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
}

function resourceOf(kind: string): Resource {
  const found = Object.hasOwn(resources, kind) ? resources[kind] : undefined;
  if (found !== undefined) return found;
  throw new KubernetesError("misconfigured", `Cannot tell where objects of kind "${kind}" are`);
}
