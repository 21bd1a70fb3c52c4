import test from "ava";
import * as fc from "fast-check";
import { readInvocation } from "./config.ts";
import type { RedirectConfig } from "./config.ts";
import { buildRules, isInForce, planRestore, renderRules } from "./rules.ts";

const { config } = readInvocation([], {});

/** What iptables-save would print once `text` was restored into a table that holds `others`. */
function savedAfter(text: string, others: readonly string[] = []): string {
  const inserted = text.match(/^-I .*$/gm) ?? [];
  const jumps = inserted.map((line) => line.replace(/^-I (\S+) 1 /, "-A $1 "));
  const rules = text.match(/^-A .*$/gm) ?? [];
  return ["*nat", ":OUTPUT ACCEPT [7:420]", ...jumps, ...others, ...rules, "COMMIT", ""].join("\n");
}

function withConfig(changes: Partial<RedirectConfig>): RedirectConfig {
  return { ...config, ...changes };
}

test("buildRules redirects inbound but for loopback and the admin port", (t) => {
  const { rules } = buildRules(config, "ipv4");
  t.deepEqual(
    rules.filter((line) => line.startsWith("-A PROXY_INBOUND")),
    [
      '-A PROXY_INBOUND -i lo -m comment --comment "proxy-init/ignore-loopback" -j RETURN',
      '-A PROXY_INBOUND -p tcp -m tcp --dport 4100 -m comment --comment "proxy-init/ignore-admin" -j RETURN',
      '-A PROXY_INBOUND -p tcp -m comment --comment "proxy-init/redirect-inbound" -j REDIRECT --to-ports 4000',
    ],
  );
});

test("buildRules redirects outbound but for the proxy and loopback", (t) => {
  const { rules } = buildRules(config, "ipv6");
  t.deepEqual(
    rules.filter((line) => line.startsWith("-A PROXY_OUTBOUND")),
    [
      '-A PROXY_OUTBOUND -m owner --uid-owner 1337 --gid-owner 1337 -m comment --comment "proxy-init/ignore-proxy" -j RETURN',
      '-A PROXY_OUTBOUND -o lo -m comment --comment "proxy-init/ignore-loopback" -j RETURN',
      '-A PROXY_OUTBOUND -d ::1/128 -m comment --comment "proxy-init/ignore-localhost" -j RETURN',
      '-A PROXY_OUTBOUND -p tcp -m comment --comment "proxy-init/redirect-outbound" -j REDIRECT --to-ports 5000',
    ],
  );
});

test("buildRules gives each family its own networks", (t) => {
  const { config: given } = readInvocation(["--exclude-outbound-cidrs=10.0.0.0/8,fd00::/8"], {});
  const text = (family: "ipv4" | "ipv6"): string => renderRules(buildRules(given, family));
  t.true(text("ipv4").includes("-d 10.0.0.0/8"));
  t.false(text("ipv4").includes("fd00"));
  t.true(text("ipv6").includes("-d fd00::/8"));
  t.false(text("ipv6").includes("10.0.0.0"));
});

test("attack-31 buildRules differs between the families in the loopback address alone", (t) => {
  const given = withConfig({ excludeInboundPorts: [22], excludeOutboundPorts: [443] });
  const ipv4 = renderRules(buildRules(given, "ipv4"));
  t.is(renderRules(buildRules(given, "ipv6")).replace("::1/128", "127.0.0.1/32"), ipv4);
});

test("attack-28 buildRules leaves neither of the proxy's own ports alone", (t) => {
  for (const line of buildRules(config, "ipv4").rules) t.notRegex(line, /--dport (?:4000|5000)\b/);
});

test("buildRules ends each chain with its redirect, whatever is excluded", (t) => {
  const port = fc.integer({ min: 1, max: 65_535 });
  fc.assert(
    fc.property(fc.array(port), fc.array(port), (inbound, outbound) => {
      const given = withConfig({ excludeInboundPorts: inbound, excludeOutboundPorts: outbound });
      const { rules } = buildRules(given, "ipv4");
      const last = (chain: string): string => rules.findLast((line) => line.includes(chain))!;
      t.regex(last("-A PROXY_INBOUND "), /-j REDIRECT --to-ports 4000$/);
      t.regex(last("-A PROXY_OUTBOUND "), /-j REDIRECT --to-ports 5000$/);
    }),
    { numRuns: 50 },
  );
});

test("planRestore finds nothing to do once its own text is in force", (t) => {
  const wanted = buildRules(config, "ipv4");
  const saved = savedAfter(renderRules(wanted), ["-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT"]);
  t.true(isInForce(wanted, saved));
  t.is(planRestore(wanted, saved), null);
});

const whole = savedAfter(renderRules(buildRules(config, "ipv4")));

for (const [title, saved] of [
  ["nothing is there", ""],
  ["a rule is missing", whole.replace(/^-A PROXY_OUTBOUND -o lo.*\n/m, "")],
  ["a rule is doubled", whole.replace(/^(-A PROXY_OUTBOUND -o lo.*\n)/m, "$1$1")],
  ["a port is another", whole.replace("--to-ports 4000", "--to-ports 4001")],
  ["a user is another", whole.replace("--uid-owner 1337", "--uid-owner 1338")],
  [
    "a rule slipped in first",
    whole.replace("-A PROXY_INBOUND -i", "-A PROXY_INBOUND -j RETURN\n$&"),
  ],
  ["a jump is missing", whole.replace(/^-A PREROUTING .*\n/m, "")],
  ["a jump is doubled", whole.replace(/^(-A OUTPUT .*\n)/m, "$1$1")],
  [
    "a jump has another match",
    whole.replace("-A OUTPUT -p tcp", "-A OUTPUT -p tcp -m tcp --dport 80"),
  ],
  ["a foreign rule comes first", whole.replace("-A OUTPUT", "-A OUTPUT -p tcp -j ACCEPT\n$&")],
  ["another chain jumps in", whole.replace("COMMIT", "-A FORWARD -j PROXY_INBOUND\nCOMMIT")],
] as const) {
  test(`planRestore repairs the table when ${title}`, (t) => {
    const wanted = buildRules(config, "ipv4");
    t.false(isInForce(wanted, saved));
    const text = planRestore(wanted, saved);
    t.true(text!.startsWith("*nat\n:PROXY_INBOUND - [0:0]\n:PROXY_OUTBOUND - [0:0]\n"));
    t.true(text!.endsWith("COMMIT\n"));
    const jumps = saved.match(/^-A \S+ .*-j PROXY_(?:INBOUND|OUTBOUND)$/gm) ?? [];
    for (const jump of jumps) t.true(text!.includes(jump.replace("-A ", "-D ")));
    for (const rule of wanted.rules) t.true(text!.includes(`${rule}\n`));
  });
}

test("planRestore never empties a chain that is not ours", (t) => {
  const text = planRestore(buildRules(config, "ipv4"), whole.replace(/^-A OUTPUT .*\n/m, ""))!;
  t.notRegex(text, /^:(?!PROXY_)/m);
  t.notRegex(text, /^-[FX]/m);
});
