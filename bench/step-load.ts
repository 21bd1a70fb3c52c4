// Asks step-ca for certificates, several at a time, each with a token of its own, over connections that
// stay open. A process of its own, as issue-load.ts is. node step-load.ts PLAN_FILE
import { createPrivateKey, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { inFlight } from "./issue-load.ts";
import { identities } from "./layout.ts";
import { measuringLine } from "./load.ts";
import { stepCaToken } from "./peers/step-ca.ts";
import { makeRequests } from "./requests.ts";
import { saturate } from "./saturate.ts";

export interface StepPlan {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly root: string;
  /** PEM, PKCS#8: signs the tokens. */
  readonly provisionerKey: string;
  readonly calls: number;
}

const created = 201;

async function main(plan: StepPlan): Promise<void> {
  const id = parseSpiffeId(identities.client);
  const privateKey = createPrivateKey(plan.provisionerKey);
  const csrs = makeRequests({ id }).map((der) => pemOf(der));
  const bodyOf = (index: number): string => {
    const token = stepCaToken(privateKey, {
      ...plan,
      uri: id,
      tokenId: randomUUID(),
      now: Date.now(),
    });
    return JSON.stringify({ csr: csrs[index % csrs.length], ott: token });
  };
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight, ca: plan.root });
  const open = Array.from({ length: inFlight }, (_each, index) => bodyOf(index));
  const bodies = Array.from({ length: plan.calls }, (_each, index) => bodyOf(index));
  // The handshakes, and all that happens only once.
  await Promise.all(open.map((body) => ask(agent, plan, body)));
  process.stdout.write(`${measuringLine}\n`);
  await saturate(plan.calls, inFlight, (index) => ask(agent, plan, bodies[index]!));
  agent.destroy();
}

/** Rejects unless it is answered with a certificate. */
function ask(agent: Agent, { host, port }: StepPlan, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json", "Content-Length": body.length };
    const options = { agent, host, port, path: "/1.0/sign", method: "POST", headers };
    const sent = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("error", reject);
      response.on("end", () => {
        const isIssued = response.statusCode === created && text.includes("BEGIN CERTIFICATE");
        if (isIssued) resolve();
        else reject(new Error(`step-ca answered ${response.statusCode}: ${text.slice(0, 200)}`));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function pemOf(csr: Uint8Array): string {
  const lines = Buffer.from(csr)
    .toString("base64")
    .match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
}

if (import.meta.main) {
  await main(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as StepPlan);
}
