// Which certificate a connection to the controller ends with when it is renewed at the wrong moment, and that
// its streams are told in time.
import test from "ava";
import { connect as dial } from "node:net";
import { createSecureContext, connect as tlsConnect } from "node:tls";
import {
  connect,
  controllerId,
  hello,
  start,
  until,
  workload,
} from "#/test/kit/controller-server.ts";
import { contextOptions } from "./tls-context.ts";

test("attack-17 a handshake that began with the old certificate ends with it, however it was renewed", async (t) => {
  await using started = await start();
  const { authority, credentials, server } = started;
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 3000;
  const old = await authority.issue(controllerId, { notAfter });
  server.setCredentials({ ...credentials, svid: old });
  const raw = dial(server.port, "127.0.0.1");
  raw.on("error", () => {});
  await until(() => server.connectionCount() === 1);
  server.setCredentials(credentials);
  const svid = await authority.issue(workload);
  const socket = tlsConnect({
    socket: raw,
    secureContext: createSecureContext(contextOptions(svid, [authority.root])),
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  socket.on("error", () => {});
  socket.resume();
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  t.is(socket.getPeerX509Certificate()?.serialNumber.toLowerCase(), old.serial);
  await new Promise((resolve) => socket.once("close", resolve));
  t.true(Date.now() < notAfter + 1000);
});

test("attack-17 a stream is told of the end of the controller's certificate before it is drained", async (t) => {
  await using started = await start();
  const { authority, credentials, server } = started;
  const notAfter = Math.floor(Date.now() / 1000) * 1000 + 5000;
  const svid = await authority.issue(controllerId, { notAfter });
  server.setCredentials({ ...credentials, svid });
  const connection = connect(started, await authority.issue(workload));
  const events: string[] = [];
  await new Promise<void>((resolve) => {
    connection.subscribe(hello, {
      onUpdate: () => void events.push("update"),
      onEnding: () => void events.push(Date.now() < notAfter - 1000 ? "ending" : "late"),
      onEnd: ({ code }) => {
        events.push(code);
        resolve();
      },
    });
  });
  t.deepEqual(events, ["update", "ending", "unavailable"]);
  t.true(Date.now() < notAfter + 1000);
  connection.close();
});
