// `signet strict`: per namespace, whether plaintext is still taken. The namespace's own policy is the
// PeerAuthentication named default; what else it says (single ports) is kept.
import { parseExposition } from "../live/scrape.ts";
import type { KubernetesObject, Mesh, Pod } from "../mesh.ts";
import { MeshAccessError, podName } from "../mesh.ts";
import { describeStrictness, readPolicies, withMode } from "../policy.ts";
import type { StrictMode, Strictness } from "../policy.ts";
import { formatTable } from "../table.ts";
import { counted } from "../text.ts";
import { EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, word } from "./context.ts";

interface NamespaceRow extends Strictness {
  readonly namespace: string;
  readonly meshedPods: number;
  readonly plainPods: number;
  /** Plaintext connections that its sidecars have taken so far. */
  readonly plaintextTaken: number;
}

export async function strictStatus(context: CommandContext): Promise<number> {
  const mesh = meshOf(context);
  const [namespaces, objects, pods] = await Promise.all([
    mesh.objects("Namespace"),
    mesh.objects("PeerAuthentication"),
    mesh.pods(),
  ]);
  const policies = readPolicies(objects);
  const rows = await Promise.all(
    namespaces
      .map(({ metadata }) => metadata.name)
      .sort()
      .map(async (namespace): Promise<NamespaceRow> => {
        const own = pods.filter((pod) => pod.namespace === namespace);
        const meshed = own.filter((pod) => pod.isMeshed);
        const taken = await Promise.all(meshed.map((pod) => plaintextTaken(mesh, pod)));
        const { mode, decidedBy, exceptions } = describeStrictness(policies, namespace);
        return {
          namespace,
          mode,
          decidedBy,
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
  const modeText = ({ mode, meshedPods }: NamespaceRow): string => {
    if (meshedPods === 0) return paint.dim("no sidecar");
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
      row.meshedPods === 0 ? "" : row.decidedBy,
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

async function setMode(context: CommandContext, mode: StrictMode): Promise<number> {
  const { print } = context;
  const namespace = word(context, "namespace");
  const mesh = meshOf(context);
  const known = (await mesh.objects("Namespace")).map(({ metadata }) => metadata.name).sort();
  if (!known.includes(namespace)) {
    throw new MeshAccessError(
      "not_found",
      `Cannot set the mode of "${namespace}": no such namespace`,
      {
        next: `Name one of ${known.join(", ")}`,
      },
    );
  }
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
  const { exceptions } = describeStrictness(readPolicies([policy]), namespace);
  if (exceptions.length > 0) print.note(`  Kept as it was: ${exceptions.join(", ")}`);
  if (outside.length > 0) {
    print.note(`  Not protected, they have no sidecar: ${outside.map(podName).join(", ")}`);
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
