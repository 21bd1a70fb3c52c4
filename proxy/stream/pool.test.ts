// Connections that nobody uses: who closes them, and when.
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
