// Tries to come back to a TLS server without a certificate, on the strength of a session that was
// made with one (attack case 15). A server that allows it takes a caller whose certificate has long
// ended. node:tls alone; knows nothing of what it is tried on.
import { once } from "node:events";
import { connect, createServer } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";

export interface Certified {
  /** PEM. */
  readonly key: string;
  readonly chain: string;
  readonly roots: string;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly alpn: string;
  /** Sent on each connection; something must come back on the first. */
  readonly request: string;
}

export interface ResumptionReport {
  /** With the certificate: it works. */
  readonly isFirstAnswered: boolean;
  /** Sessions that the server offered for coming back. */
  readonly sessionsOffered: number;
  /** Without the certificate, with the session. */
  readonly isSecondAnswered: boolean;
  readonly isSecondResumed: boolean;
  /** How the second connection ended. */
  readonly secondEnd: string;
}

const TIMEOUT_MS = 3000;
/** Sessions of TLS 1.3 come after the handshake; waited for this long after the answer. */
const SESSION_WAIT_MS = 300;

export async function tryResumption(
  target: Target,
  certified: Certified,
): Promise<ResumptionReport> {
  const trust: ConnectionOptions = {
    host: target.host,
    port: target.port,
    ca: certified.roots,
    ALPNProtocols: [target.alpn],
    minVersion: "TLSv1.3",
    // Who the server is does not matter here: the question is whom the server takes.
    checkServerIdentity: () => undefined,
  };
  const sessions: Buffer[] = [];
  const first = connect({ ...trust, key: certified.key, cert: certified.chain });
  first.on("session", (session: Buffer) => sessions.push(session));
  const one = await speak(first, target.request, SESSION_WAIT_MS);
  const session = sessions.at(-1) ?? first.getSession();
  first.destroy();
  const second = connect({ ...trust, ...(session === undefined ? {} : { session }) });
  const two = await speak(second, target.request, 0);
  second.destroy();
  return {
    isFirstAnswered: one.isAnswered,
    sessionsOffered: sessions.length,
    isSecondAnswered: two.isAnswered,
    isSecondResumed: two.isResumed,
    secondEnd: two.end,
  };
}

/** The same against a server as Node makes it by default, which asks for certificates, too. */
export async function tryOnDefaultServer(certified: Certified): Promise<ResumptionReport> {
  const server = createServer(
    {
      key: certified.key,
      cert: certified.chain,
      ca: certified.roots,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ["probe"],
    },
    (socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", () => socket.end("answer"));
    },
  );
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

/** Sends the request and waits for an answer or the end. Never rejects. */
function speak(
  socket: TLSSocket,
  request: string,
  lingerMs: number,
): Promise<{ readonly isAnswered: boolean; readonly isResumed: boolean; readonly end: string }> {
  return new Promise((resolve) => {
    let isAnswered = false;
    let isResumed = false;
    const finish = (end: string): void => {
      clearTimeout(timer);
      resolve({ isAnswered, isResumed, end });
    };
    const timer = setTimeout(() => finish("silent"), TIMEOUT_MS);
    socket.on("secureConnect", () => {
      isResumed = socket.isSessionReused();
      socket.write(request);
    });
    socket.on("data", () => {
      if (isAnswered) return;
      isAnswered = true;
      setTimeout(() => finish("answered"), lingerMs);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
    socket.on("close", () => finish("closed"));
  });
}
