// The webhooks over real TLS, with certificates of the mesh's own CA, as an API server calls them.
import { Agent, request } from "node:https";
import type { PeerCertificate, TLSSocket } from "node:tls";
import test from "ava";
import { toPem } from "#/identity/bundle.ts";
import { silentLog } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { Watch } from "#/lib/watch.ts";
import { createFixture, newCsr } from "#/test/kit/certificate-authority.ts";
import type { AuthorityFixture } from "#/test/kit/certificate-authority.ts";
import { config } from "./fixture.ts";
import { reviewBytesMax } from "./review.ts";
import { checkServingAnswer } from "./serving-answer.ts";
import { serveWebhooks } from "./server.ts";
import type { ServingCertificate, WebhookServer } from "./server.ts";

const dnsName = "hook.signet-system.svc";

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly serial: string;
}

interface Rig {
  readonly server: WebhookServer;
  readonly serving: Watch<ServingCertificate | null>;
  readonly fixture: AuthorityFixture;
  readonly issue: () => Promise<ServingCertificate>;
  readonly call: (path: string, body: string, method?: string) => Promise<Reply>;
}

async function withRig(run: (rig: Rig) => Promise<void>): Promise<void> {
  await using fixture = await createFixture({ atMs: Date.now() });
  const issue = async (): Promise<ServingCertificate> => {
    const pod = fixture.addPod({ namespace: "signet-system", serviceAccount: "hook" });
    const token = await fixture.token(pod);
    const { csr, privateKey } = newCsr(token);
    const asked = { csr, token, lifetimeS: 0, serving: true, peerAddress: "10.0.0.7" };
    const answer = await fixture.ca.certify(asked);
    const { certificateChain, trustBundle } = answer;
    checkServingAnswer(answer, privateKey, trustBundle, dnsName);
    return {
      certificate: certificateChain.map((der) => toPem(der)).join(""),
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
    };
  };
  const serving = new Watch<ServingCertificate | null>(await issue());
  const reviews = new Registry().counter("reviews", "", ["webhook", "verdict"]);
  await using server = await serveWebhooks({
    port: 0,
    config: () => config,
    serving,
    reviews,
    log: silentLog,
  });
  const ca = toPem(fixture.root.certificate);
  const call = (path: string, body: string, method = "POST"): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const where = { host: "127.0.0.1", port: server.port, servername: dnsName, ca, path, method };
      const asked = request({ ...where, agent: false }, (response) => {
        const peer: PeerCertificate = (response.socket as TLSSocket).getPeerCertificate();
        let text = "";
        response.on("data", (bytes: Buffer) => (text += bytes.toString()));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: text, serial: peer.serialNumber }),
        );
      });
      asked.on("error", reject);
      asked.end(body);
    });
  await run({ server, serving, fixture, issue, call });
}

const review = (object: unknown): string =>
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "u-1", operation: "CREATE", namespace: "a", object },
  });
const pod = { metadata: { name: "a" }, spec: { containers: [{ name: "app", image: "app" }] } };

test("a review over TLS by the mesh's own CA is answered with a patch", async (t) => {
  await withRig(async ({ call }) => {
    const { status, body } = await call("/inject?timeout=5s", review(pod));
    t.is(status, 200);
    const { response } = JSON.parse(body) as { response: Record<string, string> };
    t.is(response["uid"], "u-1");
    const patch = Buffer.from(response["patch"] ?? "", "base64").toString();
    t.regex(patch, /"proxy-init"/);
  });
});

test("a renewed certificate is shown from the next connection on", async (t) => {
  await withRig(async ({ call, issue, serving }) => {
    const before = await call("/inject", review(pod));
    serving.set(await issue());
    const after = await call("/inject", review(pod));
    t.not(after.serial, before.serial);
    t.is(after.status, 200);
  });
});

test("what is no review, too long or in the wrong place is told so", async (t) => {
  await withRig(async ({ call }) => {
    t.is((await call("/inject", "{")).status, 400);
    t.is((await call("/elsewhere", review(pod))).status, 404);
    t.is((await call("/inject", "", "GET")).status, 405);
    t.is((await call("/validate", "x".repeat(reviewBytesMax + 1))).status, 413);
    t.is((await call("/inject", review(pod))).status, 200);
  });
});

test("serveWebhooks leaves it to the API server to close an idle connection", (t) =>
  withRig(async ({ server, fixture }) => {
    const ca = toPem(fixture.root.certificate);
    using agent = keptAlive();
    const ask = (): Promise<boolean> =>
      new Promise((resolve, reject) => {
        const where = { host: "127.0.0.1", port: server.port, servername: dnsName, ca, path: "/" };
        const asked = request({ ...where, agent: agent.agent }, (response) => {
          response.resume();
          response.on("end", () => resolve(asked.reusedSocket));
        });
        asked.on("error", reject);
        asked.end();
      });
    t.false(await ask());
    // Longer than Node's own default, and than a request may take.
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    t.true(await ask(), "the connection is still there");
  }));

function keptAlive(): { readonly agent: Agent } & Disposable {
  const agent = new Agent({ keepAlive: true });
  return { agent, [Symbol.dispose]: () => agent.destroy() };
}
