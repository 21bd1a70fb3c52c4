// Performs a declared check at the pod's own address, where the redirect does not stand in the way, and
// says whether it passed: by the rules of kubelet, and with no more than that.
import { connect } from "node:http2";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import type { Probe } from "#/api/probe.ts";
import { formatHostPort } from "#/lib/ip.ts";
import type { Clock } from "#/lib/clock.ts";

export interface RelayOptions {
  /** The pod's own. */
  readonly address: string;
  readonly clock: Clock;
}

/** Never rejects: whatever goes wrong is a check that did not pass. */
export function checkProbe(probe: Probe, options: RelayOptions): Promise<boolean> {
  return new Promise((resolve) => {
    let cancel = (): void => {};
    const stop = start(probe, options.address, (passed) => {
      cancel();
      stop();
      resolve(passed);
    });
    cancel = options.clock.after(probe.timeoutS * 1000, () => {
      stop();
      resolve(false);
    });
  });
}

type Tell = (passed: boolean) => void;

/** Returns what ends it. `tell` is never called from within. */
function start(probe: Probe, address: string, tell: Tell): () => void {
  switch (probe.kind) {
    case "http":
      return checkHttp(probe, address, tell);
    case "tcp":
      return checkTcp(probe.port, address, tell);
    case "grpc":
      return checkGrpc(probe, address, tell);
    default:
      return probe satisfies never;
  }
}

function checkHttp(
  { port, path, secure, headers }: Extract<Probe, { kind: "http" }>,
  host: string,
  tell: Tell,
): () => void {
  const options = {
    host,
    port,
    path,
    agent: false,
    headers: { "user-agent": "kube-probe/signet", accept: "*/*", ...Object.fromEntries(headers) },
  };
  // As kubelet: a certificate is not looked at, the connection does not leave the pod.
  const asked = secure
    ? httpsRequest({ ...options, rejectUnauthorized: false })
    : httpRequest(options);
  asked.on("response", (response) => {
    const status = response.statusCode ?? 0;
    response.resume();
    tell(status >= 200 && status < 400);
  });
  asked.on("error", () => tell(false));
  asked.end();
  return () => void asked.destroy();
}

function checkTcp(port: number, host: string, tell: Tell): () => void {
  const socket = connectTcp({ host, port });
  socket.on("connect", () => tell(true));
  socket.on("error", () => tell(false));
  return () => void socket.destroy();
}

const grpcServing = 1;
/** HealthCheckResponse is two bytes; what is longer is none. */
const grpcAnswerBytesMax = 1024;

/** grpc.health.v1.Health/Check. */
function checkGrpc(
  { port, service }: Extract<Probe, { kind: "grpc" }>,
  host: string,
  tell: Tell,
): () => void {
  const session = connect(`http://${formatHostPort(host, port)}`);
  session.on("error", () => tell(false));
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "kube-probe/signet",
  });
  let answer = Buffer.alloc(0);
  let status = "";
  stream.on("response", (headers) => (status = String(headers["grpc-status"] ?? "")));
  stream.on("trailers", (trailers) => (status = String(trailers["grpc-status"] ?? "")));
  stream.on("data", (bytes: Buffer) => {
    if (answer.length < grpcAnswerBytesMax) answer = Buffer.concat([answer, bytes]);
  });
  stream.on("error", () => tell(false));
  // Five bytes of frame, then field 1 as a number.
  stream.on("end", () => tell(status === "0" && answer[5] === 0x08 && answer[6] === grpcServing));
  stream.end(healthRequest(service));
  return () => session.destroy();
}

function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, "utf8");
  const length: number[] = [];
  let rest = name.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  const message = name.length === 0 ? name : Buffer.from([0x0a, ...length, ...name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}
