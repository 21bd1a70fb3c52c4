// A TLS session that was made with a certificate opens nothing without it. The probe that shows this
// does get into a server with Node's own defaults, so it would get in.
import { hold, readyPods } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { prober } from "./manifests.ts";
import type { ResumptionReport } from "./resumption.ts";

const APPLICATION_PORT = 8080;
const CONTROLLER = "signet-controller.signet-system.svc.cluster.local.:8443";
const READY_MS = 10_000;

export const noResumption: Claim = {
  title: "A resumed TLS session without a certificate is refused",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const [client, server] = await readyPods(context, [prober, "app-b/app-b-v1"], READY_MS);
  const target = [server!.address, String(APPLICATION_PORT)];
  const probe = ["node", "cli/tour/resume-probe.ts"];
  const command = [...probe, CONTROLLER, await context.mesh.trustDomain(), ...target];
  const ran = await context.mesh.execute(client!, command);
  hold(ran.exitCode === 0, `the probe failed: ${ran.stderr.trim().slice(-300)}`);
  const { sidecar, defaultServer } = JSON.parse(ran.stdout) as {
    readonly sidecar: ResumptionReport;
    readonly defaultServer: ResumptionReport;
  };
  hold(sidecar.isFirstAnswered, "the sidecar did not answer the probe with its certificate either");
  hold(!sidecar.isSecondAnswered, "the sidecar answered a caller that showed no certificate");
  hold(!sidecar.isSecondResumed, "the sidecar resumed a session");
  hold(
    defaultServer.isSecondAnswered && defaultServer.isSecondResumed,
    "the probe cannot resume a session even where that is allowed: it proves nothing",
  );
  return [
    `with a certificate: answered, ${sidecar.sessionsOffered} sessions offered for later; back without it: ${sidecar.secondEnd}, not one byte of an answer`,
    `the same probe against a server with Node's defaults: resumed and answered without a certificate`,
  ];
}
