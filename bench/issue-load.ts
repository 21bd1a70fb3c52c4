// Asks the controller for certificates, several at a time, as a sidecar does. A process of its own, in
// the pod's namespace: the CA compares the address. node issue-load.ts PLAN_FILE
import { readFileSync } from "node:fs";
import { connectController } from "#/api/connect.ts";
import { anonymousStreamsMax } from "#/api/rpc.ts";
import type { ControllerConnection } from "#/api/rpc.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { measuringLine } from "./load.ts";
import { makeRequests } from "./requests.ts";
import { saturate } from "./saturate.ts";

export interface IssuePlan {
  /** host:port. */
  readonly address: string;
  /** The root's DER, base64. */
  readonly root: string;
  readonly token: string;
  readonly connection: "open" | "fresh";
  readonly calls: number;
}

/** Requests under way at once: what a controller sees when a deployment rolls. */
export const inFlight = 32;
/** As many calls as a connection without an identity may have at once share it. */
const connectionCount: number = inFlight / anonymousStreamsMax;
/** Below the connections that one address may have, those that are still closing among them. */
const freshInFlight = 8;

const deadlineMs = 10_000;

async function main(plan: IssuePlan): Promise<void> {
  const isFresh = plan.connection === "fresh";
  const openCount = isFresh ? 1 : connectionCount;
  const requests = makeRequests({ token: plan.token }, plan.calls + openCount);
  const expectedIdentity = workloadId(
    parseTrustDomain("cluster.local"),
    "signet-system",
    "signet-controller",
  );
  const connect = (): ControllerConnection =>
    connectController({
      address: plan.address,
      roots: [Buffer.from(plan.root, "base64")],
      svid: null,
      expectedIdentity,
      clock: systemClock,
    });
  const ask = async (connection: ControllerConnection, index: number): Promise<void> => {
    const csr = requests[index]!;
    const answer = await connection.issue(
      { csr, token: plan.token, lifetimeS: 0, serving: false },
      deadlineMs,
    );
    if (answer.certificateChain.length < 2) throw new Error("The chain is too short");
  };
  const open = Array.from({ length: openCount }, connect);
  // The handshakes, and all that happens only once.
  await Promise.all(open.map((connection, at) => ask(connection, plan.calls + at)));
  process.stdout.write(`${measuringLine}\n`);
  await saturate(plan.calls, isFresh ? freshInFlight : inFlight, async (index, lane) => {
    if (!isFresh) return ask(open[lane % connectionCount]!, index);
    const fresh = connect();
    try {
      await ask(fresh, index);
    } finally {
      fresh.close();
    }
  });
  for (const connection of open) connection.close();
}

if (import.meta.main) {
  await main(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as IssuePlan);
}
