// The sidecar as it ships behind the kernel's own rules, attacked from the network and from its pod.
import test from "ava";
import type { ExecutionContext } from "ava";
import { netnsTest } from "../kit/netns-test.ts";
import { SidecarLab, podAddresses, serviceAddress } from "../kit/sidecar-lab.ts";
import type { Dial, Dialled } from "./dialler.ts";

const appPorts = [80, 53, 8080, 65_535];
const everyPort = [...appPorts, 4001, 1];
const get = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
/** What `openssl s_client -alpn h2` would begin with, in short: an application's own TLS. */
const clientHello = `\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03${"r".repeat(32)}\x00\x00\x02\x13\x01\x01\x00`;

let started: Promise<SidecarLab> | null = null;
/** One for the whole file: it takes a second or two. */
const lab = (): Promise<SidecarLab> => (started ??= SidecarLab.create(appPorts));
test.after.always(async () => {
  const it = await started?.catch(() => null);
  await it?.[Symbol.asyncDispose]();
});

function dialOf(address: string, port: number, speaks: Pick<Dial, "mesh">): Dial {
  return { address, port, pieces: [get], waitMs: 4000, ...speaks };
}

function assertEach(t: ExecutionContext, found: readonly Dialled[], end: RegExp): void {
  t.true(found.length > 0);
  for (const [index, each] of found.entries()) {
    t.regex(each.end, end, `${index}: ${JSON.stringify(each)}`);
    t.is(each.received, "", String(index));
  }
}

netnsTest("a caller of the mesh reaches the application, in both families", async (t) => {
  const it = await lab();
  const dials = Object.values(podAddresses).flatMap((address): Dial[] => [
    { address, port: 8080, pieces: [get], waitMs: 1000, mesh: "signet-http/1.1" },
    { address, port: 80, pieces: ["x"], waitMs: 1000, mesh: "signet-tcp" },
  ]);
  for (const { received } of await it.dial(it.neighbour, dials, true)) {
    t.regex(received, /^HTTP\/1\.1 200 OK[^]*app$/);
  }
  t.is(it.arrived.filter((line) => line.startsWith("connection")).length, 4);
  const proven = "x-forwarded-client-cert: By=spiffe://cluster.local/ns/app-a/sa/app-a;URI=";
  t.regex(it.arrived.join(), new RegExp(`${proven}spiffe://cluster.local/ns/app-b/sa/app-b`));
});

netnsTest(
  "a member that agrees on keys without ML-KEM is taken, and refused once they are required, live or new",
  async (t) => {
    const it = await lab();
    const way = { address: podAddresses.ipv4, port: 8080, mesh: "signet-http/1.1" } as const;
    const once = { ...way, pieces: [get], waitMs: 1000 };
    const [before] = await it.dial(it.neighbour, [{ ...once, groups: "X25519" }], true);
    t.regex(before!.received, /^HTTP\/1\.1 200 OK/);
    // Talks on, for longer than the policy takes to arrive.
    const pieces = Array.from({ length: 200 }, () => get);
    const talkingBy = (groups: string): Dial => ({
      ...way,
      pieces,
      gapMs: 50,
      waitMs: 5000,
      groups,
    });
    const onceBy = (groups: string): Dial => ({ ...once, groups });
    const live = it.dial(it.neighbour, ["X25519", "auto"].map(talkingBy), true);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await it.setPostQuantum("REQUIRE");
    const [classical, hybrid] = await live;
    t.is(classical!.end, "reset");
    t.regex(classical!.received, /^HTTP\/1\.1 200 OK/);
    t.is(hybrid!.end, "open");
    it.arrived.length = 0;
    const offers = ["X25519", "P-256", "X25519MLKEM768", "X25519:X25519MLKEM768"];
    const dials = offers.map(onceBy);
    const [x25519, p256, ...capable] = await it.dial(it.neighbour, dials, true);
    assertEach(t, [x25519!, p256!], /^reset$/);
    for (const { received } of capable) t.regex(received, /^HTTP\/1\.1 200 OK[^]*app$/);
    t.is(it.arrived.filter((line) => line.startsWith("bytes 8080")).length, 2);
    const metrics = await it.metrics();
    t.regex(metrics, /refusals_total\{direction="inbound",reason="key_exchange_classical"\} 3$/m);
    t.regex(metrics, /connections_total\{direction="inbound".*group="X25519MLKEM768"\}/);
    t.regex(metrics, /connections_total\{direction="inbound".*group="X25519"\}/);
    t.regex(it.said, /"reason":"key_exchange_classical"/);
    t.regex(it.said, /"kind":"request".*"tls.group":"X25519MLKEM768"/);
    await it.setPostQuantum("PREFER");
    const [after] = await it.dial(it.neighbour, [{ ...once, groups: "X25519" }], true);
    t.regex(after!.received, /^HTTP\/1\.1 200 OK/);
  },
);

netnsTest(
  "attack-27 plaintext to the pod's addresses is reset on every port, unseen by the application",
  async (t) => {
    const it = await lab();
    it.arrived.length = 0;
    const dials = Object.values(podAddresses).flatMap((address) =>
      everyPort.flatMap((port) =>
        [get, "SSH-2.0-x\r\n", "\0\0\0", clientHello].map((first): Dial => ({
          address,
          port,
          pieces: [first],
          waitMs: 4000,
        })),
      ),
    );
    assertEach(t, await it.dial(it.neighbour, dials), /^reset$/);
    // Silence is what a client whose server speaks first does: it is given no longer than to be told apart.
    const silent = everyPort.map((port): Dial => ({
      address: podAddresses.ipv4,
      port,
      waitMs: 4000,
    }));
    assertEach(t, await it.dial(it.neighbour, silent), /^reset$/);
    t.deepEqual(it.arrived, []);
    t.regex(
      await it.metrics(),
      /^signet_proxy_refusals_total\{direction="inbound",reason="plaintext_under_strict"\} \d\d/m,
    );
  },
);

netnsTest(
  "attack-36 a claimed identity never reaches the application, however the bytes are dressed",
  async (t) => {
    const it = await lab();
    const forged = get.replace("\r\n\r\n", "\r\nx-forwarded-client-cert: URI=admin\r\n\r\n");
    const way = { address: podAddresses.ipv4, port: 8080, waitMs: 2500 };
    it.arrived.length = 0;
    const asMember: readonly Dial[] = [
      { ...way, pieces: [forged], mesh: "signet-tcp" },
      { ...way, pieces: ["", forged], gapMs: 1500, mesh: "signet-tcp" },
      { ...way, pieces: ["GE", forged.slice(2)], gapMs: 500, mesh: "signet-tcp" },
    ];
    const [plain, late, dripped] = await it.dial(it.neighbour, asMember, true);
    for (const each of [plain, late]) t.regex(each!.received, /^HTTP\/1\.1 200 OK/);
    t.is(dripped!.end, "reset");
    await it.setMode("PERMISSIVE");
    const silent = { ...way, pieces: ["", forged], gapMs: 1500 };
    const [patient] = await it.dial(it.neighbour, [silent]);
    t.regex(patient!.received, /^HTTP\/1\.1 200 OK/);
    await it.setMode("STRICT");
    t.notRegex(it.arrived.join(), /admin/);
    t.is(it.arrived.join().match(/x-forwarded-client-cert: By=/g)?.length, 2);
  },
);

netnsTest(
  "attack-28 the proxy's own ports lead nowhere from outside, not for a member either",
  async (t) => {
    const it = await lab();
    it.arrived.length = 0;
    const dials = (speaks: Pick<Dial, "mesh">): readonly Dial[] => [
      ...Object.values(podAddresses).flatMap((address) =>
        [4000, 5000].map((port) => dialOf(address, port, speaks)),
      ),
      // Merely routed through the pod: passed on to nobody.
      dialOf("10.99.0.1", 80, speaks),
    ];
    for (const mode of ["STRICT", "PERMISSIVE"] as const) {
      await it.setMode(mode);
      assertEach(t, await it.dial(it.neighbour, dials({})), /^reset$/);
      assertEach(t, await it.dial(it.neighbour, dials({ mesh: "signet-tcp" }), true), /^reset$/);
    }
    await it.setMode("STRICT");
    t.deepEqual(it.arrived, []);
    t.regex(await it.metrics(), /reason="own_port"\} 16$/m);
    t.regex(await it.metrics(), /reason="foreign_destination"\} 4$/m);
  },
);

netnsTest(
  "attack-28 the pod's application finds no loop and no way around in the proxy's ports",
  async (t) => {
    const it = await lab();
    it.arrived.length = 0;
    const own = ["127.0.0.1", "::1", "127.9.9.9", "0.0.0.0", ...Object.values(podAddresses)];
    const dials = own.flatMap((address) =>
      [4000, 5000].map((port): Dial => ({ address, port, pieces: [get], waitMs: 2000 })),
    );
    await it.setMode("PERMISSIVE");
    assertEach(t, await it.dial(it.pod, dials), /^(?:reset|refused)$/);
    await it.setMode("STRICT");
    t.deepEqual(it.arrived, []);
  },
);

netnsTest(
  "attack-22 attack-23 the sidecar's admin port tells its state, no more, and obeys nobody",
  async (t) => {
    const it = await lab();
    const targets = [
      "GET /config_dump",
      "GET /certs",
      "GET /debug",
      "POST /quit",
      "POST /shutdown",
    ];
    const dials = ["GET /readyz", "GET /metrics", "GET /livez", ...targets].map((line): Dial => ({
      address: podAddresses.ipv4,
      port: 4100,
      pieces: [`${line} HTTP/1.1\r\nhost: a\r\n\r\n`],
      waitMs: 4000,
    }));
    for (const from of [it.neighbour, it.pod]) {
      const answers = await it.dial(from, dials);
      const statuses = answers.map(({ received }) => received.slice(9, 12));
      t.deepEqual(statuses, ["200", "200", "200", "404", "404", "404", "405", "405"]);
      t.notRegex(answers.map(({ received }) => received).join(""), /PRIVATE|BEGIN|eyJ/);
    }
  },
);

netnsTest("attack-50 who does not finish what they began is let go within deadlines", async (t) => {
  const it = await lab();
  it.arrived.length = 0;
  const address = podAddresses.ipv4;
  const slowly = { gapMs: 900, waitMs: 15_000 };
  const slow = (text: string): Pick<Dial, "pieces" | "gapMs" | "waitMs"> => ({
    pieces: [text, ...Array.from({ length: 20 }, (_, index) => `x-${index}: 1\r\n`)],
    ...slowly,
  });
  const half = meshClientHello();
  const plain: Dial[] = [
    { address, port: 8080, pieces: [half.slice(0, 40)], ...slowly },
    { address, port: 8080, pieces: half.split(""), gapMs: 20, waitMs: 15_000 },
    { address, port: 8080, pieces: [half], ...slowly },
    { address, port: 8080, pieces: [`${half}${"\u00ff".repeat(5000)}`], ...slowly },
  ];
  const member: Dial = {
    address,
    port: 8080,
    ...slow("GET / HTTP/1.1\r\nhost: a\r\n"),
    mesh: "signet-http/1.1",
  };
  const outbound: Dial = {
    address: serviceAddress,
    port: 80,
    ...slow("GET / HTTP/1.1\r\nhost: a\r\n"),
  };
  const [fromOutside, fromMember, fromPod] = await Promise.all([
    it.dial(it.neighbour, plain),
    it.dial(it.neighbour, [member], true),
    it.dial(it.pod, [outbound, { ...outbound, pieces: [], waitMs: 500 }]),
  ]);
  const [cutOff, dripped, stalled, garbage] = fromOutside;
  for (const each of [cutOff!, dripped!]) {
    t.is(each.end, "reset");
    t.true(each.ms < 4000, `a ClientHello that is not whole: ${each.ms} ms`);
  }
  t.regex(stalled!.end, /^(?:closed|reset)$/);
  t.true(stalled!.ms < 13_000, `a handshake that stands still: ${stalled!.ms} ms`);
  t.regex(garbage!.end, /^(?:closed|reset)$/);
  t.true(garbage!.ms < 4000, `garbage after a ClientHello: ${garbage!.ms} ms`);
  for (const each of [fromMember[0]!, fromPod[0]!]) {
    t.regex(each.received, /^HTTP\/1\.1 408 /);
    t.true(each.ms < 13_000, `a head line by line: ${each.ms} ms`);
  }
  t.deepEqual(it.arrived, []);
  // Nothing of all that hangs on, and the next caller is served.
  const good: Dial = { address, port: 8080, pieces: [get], waitMs: 1000, mesh: "signet-http/1.1" };
  t.regex((await it.dial(it.neighbour, [good], true))[0]!.received, /^HTTP\/1\.1 200 /);
  t.notRegex(it.said, /"msg":"(?:crashed|uncaught|unhandled|inbound connection failed)/);
});

/** A whole ClientHello that offers the mesh's protocol alone, so that TLS takes it over. */
function meshClientHello(): string {
  const u16 = (length: number): string => String.fromCharCode(length >> 8, length & 0xff);
  const extension = (type: number, body: string): string => u16(type) + u16(body.length) + body;
  const protocol = "signet-tcp";
  const alpn = String.fromCharCode(protocol.length) + protocol;
  const extensions =
    extension(16, u16(alpn.length) + alpn) +
    extension(43, "\x02\x03\x04") +
    extension(10, "\x00\x02\x00\x1d") +
    extension(13, "\x00\x02\x04\x03") +
    extension(51, `\x00\x24\x00\x1d\x00\x20${"k".repeat(32)}`);
  const body = `\x03\x03${"r".repeat(32)}\x00\x00\x02\x13\x01\x01\x00${u16(extensions.length)}${extensions}`;
  const handshake = `\x01\x00${u16(body.length)}${body}`;
  return `\x16\x03\x01${u16(handshake.length)}${handshake}`;
}
