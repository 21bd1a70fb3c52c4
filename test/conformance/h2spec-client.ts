// What h2spec tests clients with: asks for the URL of its last argument, and leaves when the connection is over.
import { connect } from "node:net";
import { METHOD } from "#/http/http1/method.ts";
import { fieldLine } from "#/http/http2/field-line.ts";
import { defaultConnectionLimits } from "#/http/http2/limits.ts";
import { Http2Shell } from "../kit/http2-shell.ts";

const url = new URL(process.argv.at(-1) ?? "");
const socket = connect(Number(url.port), url.hostname, () => {
  const options = {
    role: "client",
    limits: defaultConnectionLimits,
    connectProtocol: false,
  } as const;
  const { connection } = new Http2Shell(socket, options);
  const head = connection.openRequest();
  // :method GET, :scheme http, :path /
  for (const index of [2, 6, 4]) head?.indexed(index);
  head?.line(fieldLine(":authority", url.host));
  connection.request(
    {
      onResponse: () => {},
      onData: (stream, bytes) => stream.release(bytes.length),
      onTrailers: () => {},
      onDrain: () => {},
      onReset: () => {},
    },
    METHOD.get,
    true,
  );
});
socket.on("error", () => {});
