// `signet strict`: per namespace, whether plaintext is still taken. The namespace's own policy is the
// PeerAuthentication named default; what else it says (single ports) is kept.
import { parseExposition } from "../live/scrape.ts";
import type { KubernetesObject, Mesh, Pod } from "../mesh.ts";
import { namespacesOf, needNamespace, podName } from "../mesh.ts";
import {
  MESH_NAMESPACE,
  describeStrictness,
  readPolicies,
  saysOnlyTheMode,
  withMode,
  withoutOwnMode,
} from "../policy.ts";
import type { StrictMode, Strictness } from "../policy.ts";
import { formatTable } from "../table.ts";
import { counted } from "../text.ts";
import { EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, word } from "./context.ts";

interface NamespaceRow extends Omit<Strictness, "mode" | "decidedBy"> {
  readonly namespace: string;
  /** null: no pod has a sidecar that would keep to it. */
  readonly mode: string | null;
  readonly decidedBy: string | null;
  readonly meshedPods: number;
  readonly plainPods: number;
  /** Plaintext connections that its sidecars have taken so far. */
  readonly plaintextTaken: number;
}

/** Nothing in them is ever in the mesh. */
const kubernetesNamespaces: ReadonlySet<string> = new Set([
  "kube-system",
  "kube-public",
  "kube-node-lease",
]);

export async function strictStatus(context: CommandContext): Promise<number> {
  const mesh = await meshOf(context);
  const [namespaces, objects, pods] = await Promise.all([
    namespacesOf(mesh),
    mesh.objects("PeerAuthentication"),
    mesh.pods(),
  ]);
  const policies = readPolicies(objects);
  const shown = namespaces.filter((namespace) => !kubernetesNamespaces.has(namespace));
  const rows = await Promise.all(
    shown.map(async (namespace): Promise<NamespaceRow> => {
      const own = pods.filter((pod) => pod.namespace === namespace);
      const meshed = own.filter((pod) => pod.isMeshed);
      const taken = await Promise.all(meshed.map((pod) => plaintextTaken(mesh, pod)));
      const { mode, decidedBy, exceptions } = describeStrictness(policies, namespace);
      const isKept = meshed.length > 0;
      return {
        namespace,
        mode: isKept ? mode : null,
        decidedBy: isKept ? decidedBy : null,
        exceptions,
        meshedPods: meshed.length,
        plainPods: own.length - meshed.length,
        plaintextTaken: taken.reduce((sum, each) => sum + each, 0),
      };
    }),
  );
  show(context, rows);
  return EXIT_OK;
}

function show({ print }: CommandContext, rows: readonly NamespaceRow[]): void {
  if (print.format === "json") return print.json({ namespaces: rows });
  const { paint } = print.style;
  const modeText = ({ mode }: NamespaceRow): string => {
    if (mode === null) return paint.dim("no sidecar");
    return mode === "STRICT" ? paint.green(mode) : paint.yellow(mode);
  };
  const table = formatTable(
    [
      { title: "NAMESPACE", shrinks: true },
      { title: "MODE" },
      { title: "DECIDED BY", shrinks: true },
      { title: "EXCEPTIONS", shrinks: true },
      { title: "PODS IN MESH", alignRight: true },
      { title: "PLAINTEXT TAKEN", alignRight: true },
    ],
    rows.map((row) => [
      row.namespace,
      modeText(row),
      row.decidedBy ?? "",
      row.exceptions.join(", ") || "-",
      `${row.meshedPods} of ${row.meshedPods + row.plainPods}`,
      String(row.plaintextTaken),
    ]),
    print.width(),
    print.style,
  );
  print.lines(table);
}

export function strictEnforce(context: CommandContext): Promise<number> {
  return setMode(context, "STRICT");
}

export function strictPermit(context: CommandContext): Promise<number> {
  return setMode(context, "PERMISSIVE");
}

/** `given`: tests have a mesh of their own. */
export async function setMode(
  context: CommandContext,
  mode: StrictMode,
  given?: Mesh,
): Promise<number> {
  const mesh = given ?? (await meshOf(context));
  const { print } = context;
  const namespace = word(context, "namespace");
  await needNamespace(mesh, namespace, "set the mode of");
  if (namespace === MESH_NAMESPACE) return setMeshMode(context, mesh, mode);
  const present = await presentPolicy(mesh, namespace);
  const policy = withMode(present, namespace, mode);
  await mesh.apply([policy]);
  const pods = (await mesh.pods()).filter((pod) => pod.namespace === namespace);
  const outside = pods.filter((pod) => !pod.isMeshed);
  if (print.format === "json") {
    print.json({ namespace, mode, podsWithoutSidecar: outside.map(podName) });
    return EXIT_OK;
  }
  const what =
    mode === "STRICT"
      ? "from now on only callers with a mesh identity reach its pods"
      : "its pods take plaintext as well";
  const meshed = counted(pods.length - outside.length, "pod");
  print.lines([
    `${namespace} is ${print.style.paint.bold(mode)}: ${what} (${meshed} with a sidecar)`,
  ]);
  print.note(`  On ${mesh.place}`);
  const { exceptions } = describeStrictness(readPolicies([policy]), namespace);
  if (exceptions.length > 0) print.note(`  Kept as it was: ${exceptions.join(", ")}`);
  if (outside.length > 0) {
    print.note(`  Not protected, they have no sidecar: ${outside.map(podName).join(", ")}`);
  }
  return EXIT_OK;
}

/**
 * The policy of the mesh's own namespace holds wherever there is no other. PERMISSIVE is what holds
 * without one: a policy that would say only that is removed, so that everything is as it was before.
 */
async function setMeshMode(
  { print }: CommandContext,
  mesh: Mesh,
  mode: StrictMode,
): Promise<number> {
  const namespaces = await namespacesOf(mesh);
  const present = await presentPolicy(mesh, MESH_NAMESPACE);
  const policy = withMode(present, MESH_NAMESPACE, mode);
  const isNone = mode === "PERMISSIVE" && saysOnlyTheMode(policy);
  if (!isNone) await mesh.apply([policy]);
  else if (present !== null) await mesh.remove([present]);
  const policies = readPolicies(await mesh.objects("PeerAuthentication"));
  const decidesIn = withoutOwnMode(policies, namespaces);
  const others = namespaces.filter((each) => each !== MESH_NAMESPACE && !decidesIn.includes(each));
  const pods = (await mesh.pods()).filter((pod) => decidesIn.includes(pod.namespace));
  const outside = pods.filter((pod) => !pod.isMeshed).map(podName);
  if (print.format === "json") {
    print.json({
      namespace: MESH_NAMESPACE,
      mode,
      isMeshWide: true,
      hasPolicy: !isNone,
      decidesIn,
      podsWithoutSidecar: outside,
    });
    return EXIT_OK;
  }
  const { paint } = print.style;
  const what =
    mode === "STRICT"
      ? "from now on only callers with a mesh identity reach a pod"
      : "pods take plaintext as well";
  const none =
    present === null ? "there is no mesh-wide policy" : "the mesh-wide policy is removed";
  const by = isNone ? `, ${none}` : "";
  const meshed = counted(pods.length - outside.length, "pod");
  print.lines([
    `the whole mesh is ${paint.bold(mode)}${by}: ${what}`,
    `  Holds in: ${decidesIn.join(", ") || "no namespace"} (${meshed} with a sidecar)`,
  ]);
  print.note(`  On ${mesh.place}`);
  if (others.length > 0) {
    const list = others.map((each) => `${each} ${describeStrictness(policies, each).mode}`);
    print.note(`  Not changed, they have a policy of their own: ${list.join(", ")}`);
  }
  if (outside.length > 0) {
    print.note(`  Not protected, they have no sidecar: ${outside.join(", ")}`);
  }
  return EXIT_OK;
}

async function presentPolicy(mesh: Mesh, namespace: string): Promise<KubernetesObject | null> {
  const objects = await mesh.objects("PeerAuthentication");
  return (
    objects.find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === "default",
    ) ?? null
  );
}

async function plaintextTaken(mesh: Mesh, pod: Pod): Promise<number> {
  // A sidecar that is starting has taken nothing yet.
  const text = await mesh.metrics(pod).catch(() => "");
  return parseExposition(text)
    .filter(
      ({ name, labels }) =>
        name === "signet_proxy_connections_total" &&
        labels["direction"] === "inbound" &&
        labels["transport"] === "plaintext",
    )
    .reduce((sum, { value }) => sum + value, 0);
}
