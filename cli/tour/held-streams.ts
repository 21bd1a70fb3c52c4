// Two streams that nobody wants to end are held over the end of the certificates that opened them: one that
// talks, on which the last answers say that it is over, and one that is silent, which is cut.
import type { IssuedCertificate } from "../issued.ts";
import { readIssued } from "../issued.ts";
import type { Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { endOfConnection } from "./arithmetic.ts";
import { hold, readyPods } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { connect } from "./client.ts";
import type { RawReport } from "./client.ts";
import {
  heldTarget,
  rotationClient,
  rotationLifetimeS,
  rotationObjects,
  rotationServer,
} from "./manifests.ts";

const HOLD_S = 45;
const READY_MS = 30_000;
/** A certificate is renewed after a third of its life: no connection begins with much less than two thirds. */
const HELD_MS_MIN = 15_000;
/** From the end of a connection to the report that says so, a client's own end in between. */
const LATE_MS_MAX = 3_000;
/** Seldom enough for the last answer to be among what the report keeps. */
const request = String.raw`GET /hello HTTP/1.1\r\nhost: held\r\n\r\n`;
const requestBytes = "GET /hello HTTP/1.1\r\nhost: held\r\n\r\n".length;
const SEND_EVERY_MS = 1_000;

export const heldStreams: Claim = {
  title: `A stream held over its certificates' end of ${rotationLifetimeS} s is drained, or cut when it is silent`,
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  await context.mesh.apply(rotationObjects(context.images));
  const pods = await readyPods(context, [rotationClient, rotationServer], READY_MS);
  const [client] = pods;
  const talk = ["--send", request, "--send-every-ms", String(SEND_EVERY_MS)];
  const [talking, silent] = await Promise.all([
    holdOpen(context, client!, talk),
    holdOpen(context, client!, []),
  ]);
  const issued = (await context.mesh.inspect("/v1/certificates?namespace=rotation")).flatMap(
    readIssued,
  );
  return [
    talkingEvidence(talking, pods, issued),
    silentEvidence(silent, pods, issued),
    await streamsEvidence(context, pods, issued),
  ];
}

interface Held {
  readonly report: RawReport;
  /** Wall clock ms, never earlier than the truth. */
  readonly endedAt: number;
}

async function holdOpen(
  context: TourContext,
  client: Pod,
  flags: readonly string[],
): Promise<Held> {
  const report = await connect(context, client, heldTarget, [...flags, "--hold", String(HOLD_S)]);
  return { report, endedAt: context.clock.now() };
}

function talkingEvidence(
  { report, endedAt }: Held,
  pods: readonly Pod[],
  issued: readonly IssuedCertificate[],
): string {
  const { end, endedMs, received, sentBytes } = report;
  const answers = received.split("HTTP/1.1 200 OK").length - 1;
  const asked = Math.round(sentBytes / requestBytes);
  hold(end === "closed", `the stream that talks ended otherwise: ${end} after ${endedMs} ms`);
  hold(answers === asked, `of ${asked} requests on the held stream ${answers} were answered 200`);
  const last = received.slice(received.lastIndexOf("HTTP/1.1 "));
  hold(/^connection: close\r$/im.test(last), "its last answer does not say that it is over");
  const early = endOf(pods, issued, endedAt - endedMs) - endedAt;
  const before = early >= 0 ? `${(early / 1000).toFixed(1)} s before` : "at";
  return `talking: ${answers} of ${asked} requests answered over ${(endedMs / 1000).toFixed(0)} s, the last with connection: close, then ended in order ${before} the certificates' end`;
}

function silentEvidence(
  { report, endedAt }: Held,
  pods: readonly Pod[],
  issued: readonly IssuedCertificate[],
): string {
  const { end, endedMs } = report;
  hold(report.connected && end !== "held", `the silent stream was held for ${endedMs} ms`);
  hold(endedMs >= HELD_MS_MIN, `the silent stream ended after ${endedMs} ms already: ${end}`);
  const late = endedAt - endOf(pods, issued, endedAt - endedMs);
  hold(late <= LATE_MS_MAX, `the silent stream outlived its certificates by ${late} ms`);
  return `silent: ${end} after ${(endedMs / 1000).toFixed(1)} s, at the earlier end of both ends' certificates (seen ${(Math.max(0, late) / 1000).toFixed(1)} s after it)`;
}

/** When a connection between the pods that began then has to end; wall clock ms. */
function endOf(pods: readonly Pod[], issued: readonly IssuedCertificate[], at: number): number {
  const end = endOfConnection(
    pods.map((each) => issued.filter(({ pod }) => pod === each.name)),
    at,
  );
  hold(end !== null, "the log does not show the certificates of both ends");
  return end;
}

/** The sidecars' own streams to their controller move with each certificate. */
async function streamsEvidence(
  { mesh, clock }: TourContext,
  pods: readonly Pod[],
  issued: readonly IssuedCertificate[],
): Promise<string> {
  const answers = (await mesh.inspect("/v1/proxies")) as readonly {
    readonly proxies: readonly { readonly pod: string; readonly serial: string | null }[];
  }[];
  const streams = answers.flatMap(({ proxies }) => proxies);
  const lines = pods.map((each) => {
    const own = streams.filter(({ pod }) => pod === podName(each));
    const ages = own.map(({ serial }) => {
      const certificate = issued.find((one) => one.serial === serial);
      // It may have been renewed since the log was read.
      if (certificate === undefined) return 0;
      hold(
        certificate.notAfter > clock.now(),
        `${podName(each)} has a stream of an ended certificate`,
      );
      return (clock.now() - certificate.issuedAt) / 1000;
    });
    hold(ages.length > 0, `${podName(each)} has no stream to a controller`);
    return `${podName(each)}'s of ${Math.min(...ages).toFixed(0)} s ago`;
  });
  return `streams to the controller are held with the newest certificate: ${lines.join(", ")}`;
}
