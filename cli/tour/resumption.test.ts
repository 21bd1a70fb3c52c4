import { execFileSync } from "node:child_process";
import { constants } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createServer } from "node:tls";
import type { TlsOptions } from "node:tls";
import test from "ava";
import { tryOnDefaultServer, tryResumption } from "./resumption.ts";
import type { Certified, ResumptionReport } from "./resumption.ts";

/** One self-signed certificate that is its own root: enough for both ends. */
function makeCertified(): Certified {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-resumption-"));
  try {
    const [key, cert] = [path.join(folder, "key"), path.join(folder, "cert")];
    const request =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=x";
    const args = [...request.split(" "), "-keyout", key, "-out", cert];
    execFileSync("openssl", args, { stdio: "ignore" });
    const chain = readFileSync(cert, "utf8");
    return { key: readFileSync(key, "utf8"), chain, roots: chain };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const certified = makeCertified();

async function against(options: TlsOptions): Promise<ResumptionReport> {
  const own = { key: certified.key, cert: certified.chain, ca: certified.roots };
  const asking = { requestCert: true, rejectUnauthorized: true, ALPNProtocols: ["probe"] };
  const server = createServer({ ...own, ...asking, ...options }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", () => socket.end("answer"));
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const target = { host: "127.0.0.1", port, alpn: "probe", request: "question" };
    return await tryResumption(target, certified);
  } finally {
    server.close();
  }
}

test("attack-15 a server with Node's defaults takes a resumed session without a certificate", async (t) => {
  const report = await tryOnDefaultServer(certified);
  t.true(report.isFirstAnswered);
  t.true(report.sessionsOffered > 0);
  t.true(report.isSecondResumed);
  t.true(report.isSecondAnswered);
});

test("attack-15 a server without tickets offers nothing to come back with, and takes nobody back", async (t) => {
  const report = await against({ secureOptions: constants.SSL_OP_NO_TICKET });
  t.true(report.isFirstAnswered);
  t.false(report.isSecondAnswered);
  t.false(report.isSecondResumed);
  t.not(report.secondEnd, "answered");
});
