import test from "ava";
import { chooseStyle } from "../paint.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { findingsText } from "./findings.ts";
import { checkLeftovers } from "./machine.ts";
import { checkMesh } from "./pods.ts";

const plain = chooseStyle({ colour: false, unicode: false });
const NOW = Date.UTC(2026, 10, 21, 8, 0, 0);

const pod = (name: string, isReady: boolean, isMeshed: boolean): Pod => ({
  namespace: "x",
  name,
  address: "10.77.1.1",
  serviceAccount: "x",
  phase: isReady ? "Running" : "Pending",
  labels: {},
  isReady,
  isMeshed,
});

const metrics = (leftS: number, connected: number): string =>
  `signet_proxy_certificate_not_after_seconds ${NOW / 1000 + leftS}\nsignet_proxy_controller_connected ${connected}\n`;

function meshOf(
  texts: Readonly<Record<string, string>>,
  pods: readonly Pod[],
  objects: readonly object[] = [],
  federations: readonly object[] = [],
): Mesh {
  const mesh = {
    pods: async () => pods,
    inspect: async () => [{ pod: "signet-controller-0", federations }],
    objects: async () => objects,
    logsHint: (name: string, container: string | null) =>
      `signet local logs ${name}${container === null ? "" : ` -c ${container}`}`,
    metrics: async ({ name }: Pod) => {
      const text = texts[name];
      if (text === undefined) throw new MeshAccessError("failed", "connection refused");
      return text;
    },
  };
  return mesh as unknown as Mesh;
}

test("checkMesh names a foreign bundle that is not had", async (t) => {
  const federation = {
    trustDomain: "partner.mesh",
    roots: [],
    fetchedAt: null,
    fault: { code: "endpoint_unreachable", message: "Cannot fetch the bundle: nobody answers" },
  };
  const [, finding] = await checkMesh(meshOf({}, [], [], [federation]), NOW);
  t.is(finding?.verdict, "failed");
  t.regex(finding?.what ?? "", /^trust domain partner\.mesh at signet-controller-0 has no bundle/);
  t.is(finding?.next, "See: signet federation show partner.mesh");
});

test("checkMesh says of each pod how it is, and what to do when it is not well", async (t) => {
  const pods = [
    pod("well", true, true),
    pod("plain", true, false),
    pod("starting", false, true),
    pod("ended", true, true),
    pod("alone", true, true),
    pod("silent", true, true),
    pod("garbage", true, true),
  ];
  const texts = {
    well: metrics(724, 1),
    ended: metrics(-1, 1),
    alone: metrics(724, 0),
    garbage: "not metrics",
  };
  const findings = await checkMesh(meshOf(texts, pods), NOW);
  t.deepEqual(
    findings.map(({ verdict, what }) => [verdict, what]),
    [
      ["passed", "the controller answers"],
      ["passed", "x/well is ready, its certificate lives 12m 04s more"],
      ["passed", "x/plain is ready, without a sidecar"],
      ["failed", "x/starting is not ready (Pending)"],
      ["failed", "x/ended has no valid certificate"],
      ["failed", "x/alone is not connected to the controller"],
      ["failed", "x/silent has a sidecar that does not answer: connection refused"],
      [
        "failed",
        'x/garbage has a sidecar that does not answer: Cannot read metrics: line 1: "metrics" is no number',
      ],
    ],
  );
  for (const { verdict, next } of findings) t.is(next !== "", verdict === "failed");
});

test("checkMesh tells of suspended identities, and takes their pods for no fault", async (t) => {
  const spec = { identity: "spiffe://cluster.local/ns/x/sa/x", reason: "stolen" };
  const objects = [{ metadata: { name: "s" }, spec }];
  const pods = [pod("alone", true, true), pod("plain", true, false)];
  const findings = await checkMesh(meshOf({ alone: metrics(724, 0) }, pods, objects), NOW);
  t.deepEqual(
    findings.map(({ verdict, what, next }) => [verdict, what, next]),
    [
      ["passed", "the controller answers", ""],
      [
        "info",
        "spiffe://cluster.local/ns/x/sa/x is suspended: stolen",
        "To take it back: signet identity resume x/x",
      ],
      ["info", "x/alone is cut off: its identity is suspended", ""],
      ["passed", "x/plain is ready, without a sidecar", ""],
    ],
  );
});

test("checkMesh takes a mesh that does not run for no fault", async (t) => {
  const mesh = {
    pods: async () => {
      throw new MeshAccessError("not_running", "none is running", { next: "Start one" });
    },
  };
  t.deepEqual(await checkMesh(mesh as unknown as Mesh, NOW), [
    { area: "mesh", what: "none is running", verdict: "info", next: "Start one" },
  ]);
});

test("findingsText groups by area and puts what to do below what is wrong", (t) => {
  t.deepEqual(
    findingsText(
      [
        { area: "machine", what: "root", verdict: "passed", next: "" },
        { area: "machine", what: 'no "tcpdump"', verdict: "failed", next: "Install it" },
        { area: "mesh", what: "none runs", verdict: "info", next: "Start one" },
      ],
      plain,
    ),
    [
      "machine",
      "  ok root",
      '  FAILED no "tcpdump"',
      "      next: Install it",
      "",
      "mesh",
      "  . none runs",
      "      next: Start one",
      "",
      "1 to mend",
    ],
  );
});

test("checkLeftovers says what a crashed mesh has left, and how to clear it away", (t) => {
  t.deepEqual(checkLeftovers([]), []);
  const left = ["5 network namespaces (signet-node, ...)", 'its lock "/run/signet-mesh.json"'];
  t.like(checkLeftovers(left)[0], {
    verdict: "failed",
    what: 'a mesh that crashed has left 5 network namespaces (signet-node, ...) and its lock "/run/signet-mesh.json"',
    next: "Clear it away: signet local down",
  });
});
