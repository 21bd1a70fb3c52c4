// 200s over mutual TLS, and nobody who listens on the pods' links reads a word of it. The same capture
// finds the words between two pods without the mesh, so it would have found them.
import type { Pod } from "../mesh.ts";
import { podName } from "../mesh.ts";
import { flows, isTls, readCapture } from "./capture.ts";
import type { Segment } from "./capture.ts";
import { hold, pod } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { greeterUrl, greeting, load, outcomes } from "./client.ts";
import { meshedClient, plainClient, plainServer, plainServerUrl } from "./manifests.ts";
import { groupNames, keyShareGroups } from "./server-hello.ts";
import { matching, scrape } from "./sidecar-metrics.ts";

const REQUESTS = 50;
const PLAIN_REQUESTS = 10;
/** ML-KEM-768 beside X25519: what sidecars of ours agree on keys in. */
const HYBRID_GROUP = 0x11ec;
/** Looked for as well as the greeting. */
const requestLine = "GET /hello";

export const plaintextOnTheWire: Claim = {
  title: "app-a is answered over mutual TLS, and the wire between the pods shows nothing of it",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const caller = await pod(context, meshedClient);
  const stranger = await pod(context, plainClient);
  const server = await pod(context, plainServer);
  const greeters = (await context.mesh.pods()).filter(({ namespace }) => namespace === "app-b");
  await using listening = await context.wire.listen(
    [caller, stranger],
    context.images,
    context.signal,
  );
  const report = await load(
    context,
    caller,
    greeterUrl,
    `--count ${REQUESTS} --rate 50 --new-connections`,
  );
  const plain = await load(context, stranger, plainServerUrl, `--count ${PLAIN_REQUESTS}`);
  const { captures, complaint } = await listening.stop();
  hold(report.ok === REQUESTS, `of ${REQUESTS} requests: ${outcomes(report)}`);
  hold(report.servers["signet"] === REQUESTS, "not every answer says server: signet");
  hold(plain.ok === PLAIN_REQUESTS, `the pods without the mesh: ${outcomes(plain)}`);
  hold(captures.length > 0, `tcpdump captured nothing: ${complaint}`);
  const segments = captures.flatMap(readCapture);
  const meshed = greeters.map((each) => look(segments, caller, each));
  const open = look(segments, stranger, server);
  hold(
    meshed.some(({ packets }) => packets > 0),
    "the capture saw no packet between the meshed pods",
  );
  for (const each of meshed) {
    hold(each.revealing === 0, `${each.revealing} packets of ${each.names} show what is said`);
    hold(each.isTls, `not all between ${each.names} is TLS`);
    const classical = each.groups.filter((group) => group !== HYBRID_GROUP).map(nameOfGroup);
    hold(classical.length === 0, `${each.names} agreed on keys in ${classical.join(", ")}`);
  }
  hold(open.revealing > 0, `the capture cannot find the greeting between ${open.names} either`);
  return [
    `${report.ok} of ${REQUESTS} requests answered 200 with server: signet`,
    await transport(context, caller),
    keyAgreement(meshed.flatMap(({ groups }) => groups)),
    ...meshed.map(
      ({ names, packets, bytes }) =>
        `${names}: ${packets} packets with ${bytes} bytes captured, the greeting in none, all of it TLS`,
    ),
    `${open.names} without the mesh: ${open.packets} packets captured, ${open.revealing} show request or greeting`,
  ];
}

interface Look {
  readonly names: string;
  readonly packets: number;
  readonly bytes: number;
  /** Packets, or whole directions of connections, that show the request or the greeting. */
  readonly revealing: number;
  readonly isTls: boolean;
  /** In which keys were agreed on: one for each ServerHello. */
  readonly groups: readonly number[];
}

function look(segments: readonly Segment[], one: Pod, other: Pod): Look {
  const between = flows(
    segments.filter(
      ({ source, destination }) =>
        (source === one.address && destination === other.address) ||
        (source === other.address && destination === one.address),
    ),
  );
  const reveals = (bytes: Buffer): boolean =>
    bytes.includes(greeting) || bytes.includes(requestLine);
  const packets = between.flatMap((flow) => flow.packets);
  // A word that lies across two packets shows only when they are joined.
  const joined = between.filter(({ bytes }) => reveals(bytes)).length;
  return {
    names: `${podName(one)} and ${podName(other)}`,
    packets: packets.length,
    bytes: packets.reduce((sum, { length }) => sum + length, 0),
    revealing: Math.max(packets.filter(reveals).length, joined),
    isTls: between.every(({ bytes }) => isTls(bytes)),
    groups: between.flatMap(({ bytes }) => keyShareGroups(bytes)),
  };
}

/** From the wire; a connection that was open before the capture began agreed on its keys unheard. */
function keyAgreement(groups: readonly number[]): string {
  const code = `0x${HYBRID_GROUP.toString(16)}`;
  return `${groups.length} handshakes captured, the key_share of each ServerHello is of group ${code}, ${nameOfGroup(HYBRID_GROUP)}`;
}

function nameOfGroup(group: number): string {
  return groupNames.get(group) ?? `group ${group}`;
}

/** Both identities and what TLS came to, as the caller's sidecar counts them. */
async function transport(context: TourContext, caller: Pod): Promise<string> {
  const connections = matching(await scrape(context, caller), "signet_proxy_connections_total", {
    direction: "outbound",
  });
  const labels = connections.find((each) => each.labels["version"])?.labels ?? {};
  hold(labels["version"] === "TLSv1.3", `the sidecar speaks "${labels["version"] ?? "plaintext"}"`);
  return `${labels["source"]} -> ${labels["destination"]}: ${labels["version"]}, ${labels["group"]}`;
}
