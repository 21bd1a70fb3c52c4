// Dials what it is told to (JSON in its first argument, all at once) and says how each connection went:
// the ways in which one ends, RST among them, are told apart. With an identity it speaks as a sidecar
// of the mesh does, with a certificate of the controller's.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as tcpConnect } from "node:net";
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { createCsr } from "#/identity/csr.ts";
import { parsePem, toPem } from "#/identity/bundle.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";

export interface Dial {
  readonly address: string;
  readonly port: number;
  /** latin1; sent one after the other, `gapMs` apart, the first one at once. */
  readonly pieces?: readonly string[];
  readonly gapMs?: number;
  /** Given up after so long. */
  readonly waitMs: number;
  /** Mutual TLS with this protocol, as a sidecar would. */
  readonly mesh?: "signet-http/1.1" | "signet-tcp";
  /** The groups in which it agrees on keys, as OpenSSL lists them; default: as a sidecar. */
  readonly groups?: string;
}

export interface Dialled {
  readonly end: "refused" | "reset" | "closed" | "open" | "failed";
  /** latin1 */
  readonly received: string;
  readonly ms: number;
}

export interface Order {
  readonly dials: readonly Dial[];
  /** Of a pod whose address this is. */
  readonly identity?: {
    readonly controller: string;
    readonly token: string;
    readonly bundle: string;
  };
}

interface Material {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

const order = JSON.parse(process.argv[2] ?? "") as Order;
const material = order.identity === undefined ? null : await certified(order.identity);
const results = await Promise.all(order.dials.map((dial) => run(dial, material)));
process.stdout.write(JSON.stringify(results), () => process.exit(0));

async function certified({
  controller,
  token,
  bundle,
}: NonNullable<Order["identity"]>): Promise<Material> {
  // Loaded when it is wanted: gRPC takes longer than all the dialling.
  const { connectController } = await import("#/api/connect.ts");
  const pem = readFileSync(bundle, "utf8");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const connection = connectController({
    address: controller,
    roots: parsePem(pem),
    svid: null,
    expectedIdentity: parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/signet-controller"),
    clock: systemClock,
  });
  const request = { csr: createCsr(privateKey, { token }), token, lifetimeS: 0, serving: false };
  const { certificateChain } = await connection.issue(request, 5000);
  connection.close();
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return { key, cert: certificateChain.map(toPem).join(""), ca: pem };
}

function run(dial: Dial, own: Material | null): Promise<Dialled> {
  const { address: host, port, pieces = [], gapMs = 0, waitMs, mesh, groups = "auto" } = dial;
  return new Promise((resolve) => {
    const began = performance.now();
    let received = "";
    const options = { host, port, noDelay: true };
    const socket: Socket =
      mesh === undefined
        ? tcpConnect(options)
        : tlsConnect({
            ...options,
            ...own,
            ALPNProtocols: [mesh],
            ecdhCurve: groups,
            checkServerIdentity: () => undefined,
          });
    const finish = (end: Dialled["end"]): void => {
      clearTimeout(timer);
      clearInterval(sender);
      socket.destroy();
      resolve({ end, received, ms: Math.round(performance.now() - began) });
    };
    const timer = setTimeout(() => finish("open"), waitMs);
    const left = [...pieces];
    const send = (): void => {
      const piece = left.shift();
      if (piece !== undefined && socket.writable) socket.write(piece, "latin1");
    };
    let sender: NodeJS.Timeout | undefined;
    socket.once(mesh === undefined ? "connect" : "secureConnect", () => {
      send();
      sender = setInterval(send, gapMs);
    });
    socket.on("data", (bytes: Buffer) => (received += bytes.toString("latin1")));
    socket.on("error", ({ code }: NodeJS.ErrnoException) => finish(endOf(code)));
    // Not at "end": a TLSSocket may tell of one before it tells of the RST.
    socket.on("close", () => finish("closed"));
  });
}

function endOf(code: string | undefined): Dialled["end"] {
  switch (code) {
    case "ECONNREFUSED":
      return "refused";
    // A write after the RST.
    case "EPIPE":
    case "ECONNRESET":
      return "reset";
    default:
      return "failed";
  }
}
