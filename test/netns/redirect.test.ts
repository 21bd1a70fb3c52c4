// proxy-init on a real kernel: a pod and a neighbour, each a network namespace, and the question where
// a connection arrives and what its original destination is said to have been.
import { fileURLToPath } from "node:url";
import { createLab } from "../kit/netns.ts";
import type { CommandOptions, CommandResult, Lab, Namespace } from "../kit/netns.ts";
import { netnsTest } from "../kit/netns-test.ts";
import type { Arrival } from "./echo-listener.ts";

const proxyInit = fileURLToPath(new URL("../../proxy-init/main.ts", import.meta.url));
const echoListener = fileURLToPath(new URL("echo-listener.ts", import.meta.url));

const families = [
  {
    name: "IPv4",
    pod: "10.77.0.2",
    neighbour: "10.77.0.1",
    service: "10.96.0.10",
    behindPod: "10.99.0.1",
    local: ["127.0.0.1", "127.0.0.11"],
    format: (address: string, port: number): string => `${address}:${port}`,
  },
  {
    name: "IPv6",
    pod: "fd77::2",
    neighbour: "fd77::1",
    service: "fd96::10",
    behindPod: "fd99::1",
    local: ["::1"],
    format: (address: string, port: number): string => `[${address}]:${port}`,
  },
] as const;

const application = { user: { uid: 10_001, gid: 10_001 } };
const proxyUser = { user: { uid: 1337, gid: 1337 } };
const container = { capabilities: ["net_admin", "net_raw"] };

const excludedInbound = 9090;
const excludedOutbound = 8125;
const flags = [
  `--exclude-inbound-ports=${excludedInbound}`,
  `--exclude-outbound-ports=${excludedOutbound}`,
  "--exclude-outbound-cidrs=10.77.1.1/32,fd77:1::1/128",
];

interface Pair extends AsyncDisposable {
  readonly pod: Namespace;
  readonly neighbour: Namespace;
}

/** Two namespaces with a link; everything foreign is routed from each to the other. */
async function createPair(): Promise<Pair> {
  const lab: Lab = await createLab();
  const pod = await lab.addNamespace("pod");
  const neighbour = await lab.addNamespace("neighbour");
  await lab.link(
    { namespace: pod, device: "eth0", addresses: ["10.77.0.2/24", "fd77::2/64"] },
    {
      namespace: neighbour,
      device: "eth0",
      addresses: ["10.77.0.1/24", "fd77::1/64", "10.77.1.1/32", "fd77:1::1/128"],
    },
  );
  for (const family of families) {
    const via = (gateway: string): string[] => ["route", "add", "default", "via", gateway];
    await pod.succeed("ip", via(family.neighbour));
    await neighbour.succeed("ip", via(family.pod));
  }
  return { pod, neighbour, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
}

async function listen(namespace: Namespace, ports: readonly number[]): Promise<void> {
  const child = namespace.start(process.execPath, [echoListener, ...ports.map(String)]);
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`listener ended with ${code}: ${said}`)));
  });
}

async function prepared(): Promise<Pair> {
  const pair = await createPair();
  await listen(pair.pod, [4000, 5000, 4100, 8080, excludedInbound]);
  await listen(pair.neighbour, [53, 80, excludedOutbound]);
  const { exitCode, stderr } = await init(pair.pod, flags);
  if (exitCode !== 0) throw new Error(stderr);
  return pair;
}

function init(
  pod: Namespace,
  parameters: readonly string[] = [],
  options: CommandOptions = container,
): Promise<CommandResult> {
  return pod.run(process.execPath, [proxyInit, "--inbound-port=4000", ...parameters], options);
}

/** Connects with nothing but a shell: it needs no readable source tree, whatever its user. */
async function dial(
  from: Namespace,
  address: string,
  port: number,
  options: CommandOptions = application,
): Promise<Arrival | "refused" | "failed"> {
  const script = 'exec 3<>"/dev/tcp/$0/$1" && cat <&3';
  const result = await from.run(
    "timeout",
    ["5", "bash", "-c", script, address, String(port)],
    options,
  );
  if (result.exitCode === 0) return JSON.parse(result.stdout) as Arrival;
  return result.stderr.includes("refused") ? "refused" : "failed";
}

async function savedRules(pod: Namespace): Promise<string> {
  const texts = [
    await pod.succeed("iptables-save", ["-t", "nat"]),
    await pod.succeed("ip6tables-save", ["-t", "nat"]),
  ];
  return texts
    .join("")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n");
}

for (const family of families) {
  const { name, pod: podAddress, neighbour: neighbourAddress, format } = family;

  netnsTest(`${name} inbound is redirected to 4000 with its original destination`, async (t) => {
    await using pair = await prepared();
    for (const port of [8080, 80, 53, 65_535]) {
      t.like(await dial(pair.neighbour, podAddress, port), {
        listener: 4000,
        original: format(podAddress, port),
      });
    }
    t.like(await dial(pair.neighbour, podAddress, excludedInbound), { listener: excludedInbound });
    t.like(await dial(pair.neighbour, podAddress, 4100), { listener: 4100 });
  });

  netnsTest(`attack-28 ${name} the proxy's own ports lead to 4000 from outside`, async (t) => {
    await using pair = await prepared();
    for (const port of [4000, 5000]) {
      t.like(await dial(pair.neighbour, podAddress, port), {
        listener: 4000,
        original: format(podAddress, port),
      });
    }
    // What is merely routed through the pod is seen as foreign by the inbound side, not passed on.
    t.like(await dial(pair.neighbour, family.behindPod, 80), {
      listener: 4000,
      original: format(family.behindPod, 80),
    });
  });

  netnsTest(`${name} outbound is redirected to 5000 with its original destination`, async (t) => {
    await using pair = await prepared();
    for (const [address, port] of [
      [family.service, 80],
      [neighbourAddress, 80],
      [neighbourAddress, 53],
      [neighbourAddress, 5000],
    ] as const) {
      t.like(await dial(pair.pod, address, port), {
        listener: 5000,
        original: format(address, port),
      });
    }
    t.like(await dial(pair.pod, neighbourAddress, excludedOutbound), {
      listener: excludedOutbound,
      peer: podAddress,
    });
    const excludedAddress = name === "IPv4" ? "10.77.1.1" : "fd77:1::1";
    t.like(await dial(pair.pod, excludedAddress, 80), { listener: 80 });
  });

  netnsTest(`attack-30 ${name} only user 1337 with group 1337 is exempt`, async (t) => {
    await using pair = await prepared();
    const as = (uid: number, gid: number): Promise<Arrival | "refused" | "failed"> =>
      dial(pair.pod, neighbourAddress, 80, { user: { uid, gid } });
    t.like(await as(1337, 1337), { listener: 80, peer: podAddress });
    t.like(await as(1337, 10_001), { listener: 5000 });
    t.like(await as(10_001, 1337), { listener: 5000 });
    t.like(await as(0, 0), { listener: 5000 });
  });

  netnsTest(`${name} what stays in the pod is not redirected`, async (t) => {
    await using pair = await prepared();
    for (const address of [...family.local, podAddress]) {
      for (const options of [application, proxyUser]) {
        t.like(await dial(pair.pod, address, 8080, options), { listener: 8080 });
      }
    }
    t.is(await dial(pair.pod, family.local[0], 8081), "refused");
  });

  netnsTest(`${name} without a proxy nothing gets through in either direction`, async (t) => {
    await using pair = await createPair();
    await listen(pair.pod, [8080]);
    await listen(pair.neighbour, [80]);
    t.like(await dial(pair.neighbour, podAddress, 8080), { listener: 8080 });
    t.is((await init(pair.pod)).exitCode, 0);
    t.is(await dial(pair.neighbour, podAddress, 8080), "refused");
    t.is(await dial(pair.pod, neighbourAddress, 80), "refused");
  });
}

netnsTest("a second run changes nothing", async (t) => {
  await using pair = await createPair();
  t.regex((await init(pair.pod, flags)).stdout, /ipv4: rules written\n.*ipv6: rules written/);
  const first = await savedRules(pair.pod);
  const again = await init(pair.pod, flags);
  t.is(again.exitCode, 0);
  t.is(again.stdout.match(/nothing changed/g)?.length, 2);
  t.is(await savedRules(pair.pod), first);
});

netnsTest("a run with other settings replaces the rules and leaves those of others", async (t) => {
  await using pair = await createPair();
  await pair.pod.succeed("iptables", [
    "-t",
    "nat",
    "-A",
    "OUTPUT",
    "-d",
    "127.0.0.11/32",
    "-j",
    "RETURN",
  ]);
  await init(pair.pod, flags);
  await init(pair.pod, ["--inbound-port=4001"]);
  const saved = await savedRules(pair.pod);
  t.true(saved.includes("-A OUTPUT -d 127.0.0.11/32 -j RETURN"));
  t.is(saved.match(/-j PROXY_(?:INBOUND|OUTBOUND)$/gm)?.length, 4);
  t.false(saved.includes(`--dport ${excludedInbound}`));
  t.is(saved.match(/--to-ports 4001/g)?.length, 2);
});

netnsTest("a run repairs what was taken out, doubled, or put in front", async (t) => {
  await using pair = await createPair();
  await init(pair.pod);
  const good = await savedRules(pair.pod);
  const iptables = (...parameters: string[]): Promise<string> =>
    pair.pod.succeed("iptables", ["-t", "nat", ...parameters]);
  await iptables("-D", "PROXY_OUTBOUND", "1");
  await init(pair.pod);
  t.is(await savedRules(pair.pod), good);
  await iptables("-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "PROXY_OUTBOUND");
  await init(pair.pod);
  t.is(await savedRules(pair.pod), good);
  await iptables("-F", "PREROUTING");
  await init(pair.pod);
  t.is(await savedRules(pair.pod), good);
  await iptables("-I", "OUTPUT", "1", "-p", "tcp", "-j", "ACCEPT");
  await init(pair.pod);
  const outputs = (await savedRules(pair.pod)).match(/^-A OUTPUT .*$/gm) ?? [];
  t.regex(outputs[0]!, /PROXY_OUTBOUND$/);
  t.is(outputs[1], "-A OUTPUT -p tcp -j ACCEPT");
});

netnsTest("a dry run prints both families and touches nothing", async (t) => {
  await using pair = await createPair();
  const before = await savedRules(pair.pod);
  // Without a single capability: nothing could be changed even by mistake.
  const { exitCode, stdout } = await init(pair.pod, ["--dry-run", ...flags], { capabilities: [] });
  t.is(exitCode, 0);
  t.is(stdout.match(/^\*nat$/gm)?.length, 2);
  t.true(stdout.includes("-d ::1/128"));
  t.is(await savedRules(pair.pod), before);
  t.false(before.includes("PROXY_"));
});

netnsTest("without NET_ADMIN it refuses, says why and touches nothing", async (t) => {
  await using pair = await createPair();
  for (const options of [{ capabilities: ["net_raw"] }]) {
    const { exitCode, stderr } = await init(pair.pod, [], options);
    t.is(exitCode, 77);
    t.regex(stderr, /Permission denied|not permitted/);
    t.regex(stderr, /Run as root with the capability NET_ADMIN/);
  }
  t.false((await savedRules(pair.pod)).includes("PROXY_"));
});

netnsTest("attack-31 both families hold the same rules but for the loopback address", async (t) => {
  await using pair = await createPair();
  await init(pair.pod);
  const rules = async (program: string): Promise<string[]> =>
    (await pair.pod.succeed(program, ["-t", "nat"])).match(/^-A .*$/gm) ?? [];
  const ipv4 = await rules("iptables-save");
  const ipv6 = await rules("ip6tables-save");
  t.true(ipv4.length >= 8);
  t.deepEqual(
    ipv6.map((line) => line.replace("::1/128", "127.0.0.1/32")),
    ipv4,
  );
});

netnsTest("attack-31 UDP is not redirected, and the help says so", async (t) => {
  await using pair = await createPair();
  const { stdout } = await init(pair.pod, ["--help"]);
  t.regex(stdout, /UDP, SCTP and ICMP are not redirected/);
  await init(pair.pod);
  t.notRegex(await savedRules(pair.pod), /-p udp/);
});
