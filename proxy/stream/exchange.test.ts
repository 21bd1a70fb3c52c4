// The exchange over real sockets on loopback: an application that misbehaves in every way, and a
// dispatcher that sends everything to it.
import { setTimeout as pause } from "node:timers/promises";
import test from "ava";
import { answering, get, ok, rig, talk } from "./fixture.ts";

test("exchange passes a request and its response on, with server: signet", async (t) => {
  await using it = await rig(answering(ok("hi", "server: nginx\r\nx-a: 1\r\n")));
  const answer = await talk(it.port, get);
  t.regex(answer, /^HTTP\/1\.1 200 OK\r\n/);
  t.regex(answer, /server: signet\r\n/);
  t.notRegex(answer, /nginx/);
  t.regex(answer, /x-a: 1\r\n[^]*\r\n\r\nhi$/);
  t.is(it.finished[0]?.bytes, 2);
});

test("exchange uses the upstream connection again", async (t) => {
  await using it = await rig(answering(ok("hi")));
  await talk(it.port, [get, get, get]);
  await talk(it.port, get);
  t.is(it.appConnections(), 1);
  t.is(it.finished.length, 4);
});

test("exchange answers pipelined requests in order", async (t) => {
  await using it = await rig(answering((request) => ok(request.slice(4, 6))));
  const answer = await talk(
    it.port,
    ["/1", "/2", "/3"].map((path) => get.replace("/hello", path)).join(""),
  );
  t.deepEqual(
    [...answer.matchAll(/\r\n\r\n(\/\d)/g)].map((match) => match[1]),
    ["/1", "/2", "/3"],
  );
});

test("exchange reads a head and a body that come byte by byte", async (t) => {
  let seen = "";
  await using it = await rig((socket) => {
    socket.on("data", (bytes) => {
      seen += bytes.toString("latin1");
      if (seen.endsWith("abc")) socket.write(ok("done"));
    });
  });
  const request = "POST /x HTTP/1.1\r\nhost: app\r\ncontent-length: 3\r\n\r\nabc";
  const answer = await talk(it.port, request.split(""));
  t.regex(answer, /\r\n\r\ndone$/);
  t.regex(seen, /\r\n\r\nabc$/);
});

test("exchange passes a chunked body with trailers on as it came", async (t) => {
  const body = "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n";
  const response = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`;
  await using it = await rig(answering(response));
  const answer = await talk(it.port, get);
  t.true(answer.endsWith(`\r\n\r\n${body}`));
});

test("exchange ends a chunked request without content", async (t) => {
  let seen = "";
  await using it = await rig((socket) => {
    socket.on("data", (bytes) => {
      seen += bytes.toString("latin1");
      if (seen.endsWith("\r\n\r\n0\r\n\r\n")) socket.write(ok("done"));
    });
  });
  const head = "PUT /x HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n";
  t.regex(await talk(it.port, `${head}0\r\n\r\n`), /\r\n\r\ndone$/);
});

test("exchange takes a response without length to be ended by the connection", async (t) => {
  await using it = await rig((socket) => {
    socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
  });
  const answer = await talk(it.port, get);
  t.regex(answer, /connection: close\r\n/);
  t.true(answer.endsWith("until the end"));
});

test("exchange repeats the request with its body when the dispatcher says so", async (t) => {
  let requests = 0;
  await using it = await rig(
    answering((request) => {
      requests += 1;
      t.true(request.endsWith("abc"));
      return requests < 3 ? "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno" : ok("yes");
    }),
    5,
  );
  const request = "PUT /x HTTP/1.1\r\nhost: app\r\ncontent-length: 3\r\n\r\nabc";
  const answer = await talk(it.port, request);
  t.regex(answer, /^HTTP\/1\.1 200 /);
  t.is(requests, 3);
  t.is(it.finished.length, 1);
});

test("exchange answers 502 when the application breaks off before its response", async (t) => {
  await using it = await rig((socket) => socket.on("data", () => socket.destroy()));
  t.regex(await talk(it.port, get), /^HTTP\/1\.1 502 /);
});

test("exchange breaks off when the application breaks off in the middle of a response", async (t) => {
  await using it = await rig((socket) => {
    socket.on("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", () => socket.destroy());
    });
  });
  const answer = await talk(it.port, [get, get]);
  t.true(answer.endsWith("short"));
  t.is(it.finished.length, 1);
});

const invalidResponses: readonly [string, string][] = [
  ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ["both framings", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"],
  ["bare line feed", "HTTP/1.1 200 OK\nx: y\n\n"],
  ["not http", "SSH-2.0-OpenSSH\r\n\r\n"],
];
for (const [what, response] of invalidResponses) {
  test(`attack-43 a response with ${what} is answered with 502, never passed on`, async (t) => {
    await using it = await rig(answering(response));
    t.regex(await talk(it.port, get), /^HTTP\/1\.1 502 /);
  });
}

const smuggled: readonly [string, string][] = [
  [
    "both framings",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ["a space before a colon", "GET / HTTP/1.1\r\nhost : a\r\n\r\n"],
  ["a folded line", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n y\r\n\r\n"],
  ["a bare line feed", "GET / HTTP/1.1\nhost: a\n\n"],
  ["two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"],
  [
    "a bad chunk size",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\na\r\n",
  ],
];
for (const [what, request] of smuggled) {
  test(`attack-42 a request with ${what} is answered with 400 and closed`, async (t) => {
    let forwarded = "";
    await using it = await rig((socket) => {
      socket.on("data", (bytes) => {
        forwarded += bytes.toString("latin1");
      });
    });
    const answer = await talk(it.port, request + get);
    t.regex(answer, /^HTTP\/1\.1 400 [^]*connection: close/);
    t.is(answer.match(/HTTP\/1\.1/g)?.length, 1);
    t.notRegex(forwarded, /0x1/);
    t.notRegex(forwarded, /hello/);
  });
}

test("attack-36 claims of identity are taken out of a request", async (t) => {
  let seen = "";
  await using it = await rig(
    answering((request) => {
      seen = request;
      return ok("");
    }),
  );
  await talk(
    it.port,
    "GET / HTTP/1.1\r\nhost: a\r\nX_Forwarded-Client_Cert: URI=spiffe://x\r\n\r\n",
  );
  t.notRegex(seen, /spiffe/);
});

test("exchange passes an interim response on before the final one", async (t) => {
  await using it = await rig((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      socket.once("data", () => socket.write(ok("done")));
    });
  });
  const head = "PUT /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
  const answer = await talk(it.port, [head, "", "", "", "ab"]);
  t.regex(answer, /^HTTP\/1\.1 100 Continue\r\n[^]*\r\n\r\nHTTP\/1\.1 200 /);
});

test("exchange passes a WebSocket upgrade and then bytes both ways", async (t) => {
  await using it = await rig((socket) => {
    socket.once("data", () => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
          "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfirst",
      );
      socket.on("data", (bytes) => socket.write(`echo ${bytes.toString()}`));
    });
  });
  const upgrade =
    "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const answer = await talk(it.port, [upgrade, "", "", "frame"]);
  t.regex(answer, /^HTTP\/1\.1 101 [^]*\r\n\r\nfirstecho frame$/);
});

test("attack-45 a 101 without the right accept value opens no tunnel", async (t) => {
  await using it = await rig((socket) => {
    socket.on("data", () => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
          "sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\nfirst",
      );
    });
  });
  const upgrade =
    "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  t.regex(await talk(it.port, upgrade), /^HTTP\/1\.1 502 /);
});

test("exchange holds a large body back while the other end is slow, and loses nothing", async (t) => {
  const size = 8 * 1024 * 1024;
  let received = 0;
  await using it = await rig((socket) => {
    socket.pause();
    setTimeout(() => socket.resume(), 100);
    socket.on("data", (bytes) => {
      received += bytes.length;
      if (received >= size) socket.write(ok("done"));
    });
  });
  const head = `POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: ${size}\r\n\r\n`;
  const answer = await talk(it.port, head + "x".repeat(size), 1500);
  t.regex(answer, /\r\n\r\ndone$/);
  t.is(it.finished[0]?.requestBytes, size);
});

test("exchange ends the try when the caller goes away", async (t) => {
  let closed = false;
  await using it = await rig((socket) => {
    socket.resume();
    socket.on("end", () => {
      closed = true;
    });
  });
  await talk(it.port, get, 50);
  await pause(50);
  t.true(closed);
  t.is(it.finished[0]?.status, 0);
});
