// Who takes part: our sidecar and the peers, each with the settings it would run with in production.
import { writeFileSync } from "node:fs";
import { writeCertificates } from "./certificates.ts";
import { proxyCore, proxyUid } from "./layout.ts";
import { envoyPlan } from "./peers/envoy.ts";
import { haproxyPlan } from "./peers/haproxy.ts";
import { nginxPlan } from "./peers/nginx.ts";
import type { PeerPlan, Role } from "./peers/peer.ts";
import { launch } from "./process.ts";
import { startSignet } from "./signet.ts";
import type { Bench, Subject } from "./subject.ts";
import type { Work } from "./works.ts";

/**
 * The subjects of a work. Envoy stands twice in the pair: which of its ways is better differs by work. nginx
 * has its opaque proxy in a module of its own, and does not take part there.
 */
export function subjectsOf({
  route,
  carries,
  field,
}: Pick<Work, "route" | "carries" | "field">): readonly Subject[] {
  if (field === "workers") return [1, 2].map(signetOf);
  if (carries === "tcp") {
    return [
      signet,
      peer("envoy", (bench, path, role) => envoyPlan(bench.programs.envoy, { path }, role, "tcp")),
      peer("haproxy", (bench, path, role) =>
        haproxyPlan(bench.programs.haproxy, { path }, role, "tcp"),
      ),
    ];
  }
  if (route === "hop") {
    return [
      signet,
      peer("envoy", (bench, path, role) =>
        envoyPlan(bench.programs.envoy, { path }, role, "http1"),
      ),
      peer("haproxy", (bench, path, role) =>
        haproxyPlan(bench.programs.haproxy, { path }, role, "http1"),
      ),
      peer("nginx", (bench, path, role) => nginxPlan(bench.programs.nginx, { path }, role)),
    ];
  }
  return [
    signet,
    ...(["http1", "http2"] as const).map((between) =>
      peer(`envoy-${between}`, (bench, path, role) =>
        envoyPlan(bench.programs.envoy, { path }, role, between),
      ),
    ),
    ...(["http1", "http2"] as const).map((between) =>
      peer(`haproxy-${between}`, (bench, path, role) =>
        haproxyPlan(bench.programs.haproxy, { path }, role, between),
      ),
    ),
    peer("nginx", (bench, path, role) => nginxPlan(bench.programs.nginx, { path }, role)),
  ];
}

const signet: Subject = { name: "signet", start: (context) => startSignet(context, pinned) };
const pinned = { workers: 1, core: proxyCore } as const;

/** On whatever core is free: there are not enough of them to give workers and load each their own. */
function signetOf(workers: number): Subject {
  return {
    name: `workers-${workers}`,
    start: (context) => startSignet(context, { workers, core: null }),
  };
}

type Plan = (bench: Bench, folder: string, role: Role) => PeerPlan;

function peer(name: string, plan: Plan): Subject {
  return {
    name,
    async start({ bench, network, route, folder, stack }) {
      await writeCertificates(folder, bench.now());
      const roles: readonly Role[] = route === "hop" ? ["plain-out"] : ["in", "out"];
      const plans = roles.map((role) => ({ role, plan: plan(bench, folder, role) }));
      const measured = plans.map(({ role, plan }) => {
        for (const file of plan.files) writeFileSync(`${folder}/${file.name}`, file.text);
        return stack.use(
          launch({
            placement: {
              namespace: role === "in" ? network.server : network.client,
              core: proxyCore,
              uid: proxyUid,
            },
            command: plan.command,
            parameters: plan.parameters,
            folder,
            outputPath: plan.accessLog,
            errorPath: `${folder}/${role}.err`,
          }),
        );
      });
      return { measured, others: [], accessLogs: plans.map((each) => each.plan.accessLog) };
    },
  };
}
