// Connections that nobody uses: who closes them, and when.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import { systemClock } from "#/lib/clock.ts";
import { answering, get, ok, rig, talk } from "./fixture.ts";
import { defaultPoolLimits } from "./transport.ts";

// gunicorn closes after 2 s: a POST that is written just then is lost, and cannot be sent again.
test("pool closes an application's idle connection before the application does", async (t) => {
  let closedBy = "";
  await using it = await rig((socket) => {
    answering(ok("hi"))(socket);
    const own = setTimeout(() => {
      closedBy ||= "application";
      socket.end();
    }, 2000);
    socket.on("end", () => {
      closedBy ||= "sidecar";
      clearTimeout(own);
    });
  });
  await talk(it.port, get);
  await pause(2200);
  t.is(closedBy, "sidecar");
});

test("pool uses no connection that was idle too long, also before the sweep comes", async (t) => {
  let leapMs = 0;
  const monotonic = (): number => systemClock.monotonic() + leapMs;
  await using it = await rig(answering(ok("hi")), 0, { ...systemClock, monotonic });
  t.regex(await talk(it.port, get), /200 OK/);
  leapMs = defaultPoolLimits.foreignIdleTimeoutMs;
  t.regex(await talk(it.port, get), /200 OK/);
  t.is(it.appConnections(), 2);
});

test("pool sends what cannot be repeated on no connection that was closed behind its last answer", async (t) => {
  const application: Socket[] = [];
  await using it = await rig((socket) => {
    application.push(socket);
    answering(ok("hi"))(socket);
  });
  t.regex(await talk(it.port, get), /200 OK/);
  const client = connect(it.port, "127.0.0.1");
  await once(client, "connect");
  await pause(50);
  const answered = once(client, "data");
  client.write(get.replace("GET", "POST").replace("\r\n\r\n", "\r\ncontent-length: 0\r\n\r\n"));
  // The kernel has the end now, before the event loop reads either of the two.
  application[0]?.resetAndDestroy();
  t.regex(String(await answered), /200 OK/);
  client.destroy();
  t.is(it.appConnections(), 2);
});
