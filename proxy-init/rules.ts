// The redirect rules, as text for iptables-restore, and the comparison with what is already there. Pure.
//
// Inbound (PREROUTING): every TCP connection from outside goes to the inbound port. The admin port is
// left alone, so that kubelet and Prometheus reach it. The proxy's own ports are NOT left alone: a
// stranger who dials 5000 lands on 4000 as well, with 5000 as the original destination, and the
// outbound listener stays out of reach; the inbound side has one place to refuse all of it. Packets
// that are only forwarded come in here, too, and are refused there as foreign (attack case 28).
//
// Outbound (OUTPUT): every TCP connection of the pod goes to the outbound port, except those
// - of the proxy itself: its user AND its group, so that a shared group alone opens nothing;
// - that leave through the loopback interface. This covers all of 127.0.0.0/8 and the pod's own
//   address. 127.0.0.1/32 and ::1/128 are named besides for setups that route them elsewhere; the rest
//   of 127.0.0.0/8 is not, since only the interface shows that it stays in the pod.
// A pod that calls its own ClusterIP does not leave through loopback, and is redirected: the proxy
// picks an endpoint, this pod perhaps, and dials it as the exempt user. DNS over TCP is redirected
// like anything else: an exempt port 53 would be a way out that no policy sees.
//
// Only TCP: REDIRECT cannot carry UDP's peers, and ICMP has no ports (attack case 31).
import type { RedirectConfig } from "./config.ts";
import type { Family } from "./network.ts";

const inboundChain = "PROXY_INBOUND";
const outboundChain = "PROXY_OUTBOUND";

const loopbackAddress: Readonly<Record<Family, string>> = {
  ipv4: "127.0.0.1/32",
  ipv6: "::1/128",
};

/** The nat table's lines that are ours, in the spelling of iptables-save: the wanted state. */
export interface RuleSet {
  /** Each jumps from a built-in chain and has to be the first rule there. */
  readonly jumps: readonly string[];
  readonly rules: readonly string[];
}

/** Pure: the wanted rules of one address family. */
export function buildRules(config: RedirectConfig, family: Family): RuleSet {
  const inbound = (match: string, name: string, target: string): string =>
    ruleLine(inboundChain, match, name, target);
  const outbound = (match: string, name: string, target: string): string =>
    ruleLine(outboundChain, match, name, target);
  const owner = `-m owner --uid-owner ${config.proxyUid} --gid-owner ${config.proxyGid}`;
  const networks = config.excludeOutboundNetworks.filter((each) => each.family === family);
  return {
    jumps: [
      ruleLine("PREROUTING", "-p tcp", "inbound", inboundChain),
      ruleLine("OUTPUT", "-p tcp", "outbound", outboundChain),
    ],
    rules: [
      inbound("-i lo", "ignore-loopback", "RETURN"),
      inbound(tcpPort(config.adminPort), "ignore-admin", "RETURN"),
      ...config.excludeInboundPorts.map((port) =>
        inbound(tcpPort(port), "ignore-inbound-port", "RETURN"),
      ),
      inbound("-p tcp", "redirect-inbound", `REDIRECT --to-ports ${config.inboundPort}`),
      outbound(owner, "ignore-proxy", "RETURN"),
      outbound("-o lo", "ignore-loopback", "RETURN"),
      outbound(`-d ${loopbackAddress[family]}`, "ignore-localhost", "RETURN"),
      ...networks.map(({ cidr }) => outbound(`-d ${cidr}`, "ignore-network", "RETURN")),
      ...config.excludeOutboundPorts.map((port) =>
        outbound(tcpPort(port), "ignore-outbound-port", "RETURN"),
      ),
      outbound("-p tcp", "redirect-outbound", `REDIRECT --to-ports ${config.outboundPort}`),
    ],
  };
}

/**
 * Pure: the text for `iptables-restore --noflush` that turns `saved` (what `iptables-save -t nat`
 * printed) into the wanted state in one transaction, or null when it is that state already. Rules
 * that are not ours stay, behind ours.
 */
export function planRestore(wanted: RuleSet, saved: string): string | null {
  const present = saved.split("\n").filter((line) => line.startsWith("-A "));
  if (isInPlace(wanted, present)) return null;
  const stale = present.filter((line) => isOurJump(line));
  return restoreText([
    // Naming a chain of our own empties it, or makes it; the built-in ones are not named, so they stay.
    `:${inboundChain} - [0:0]`,
    `:${outboundChain} - [0:0]`,
    ...stale.map((line) => line.replace(/^-A /, "-D ")),
    ...wanted.jumps.map((line) => line.replace(/^-A (\S+) /, "-I $1 1 ")),
    ...wanted.rules,
  ]);
}

/** Pure: what a dry run shows, the text for a table in which nothing of ours stands yet. */
export function renderRules(wanted: RuleSet): string {
  return planRestore(wanted, "") ?? "";
}

/** Pure: is `saved` the wanted state? Ours must be whole, in order, and ahead of everything else. */
export function isInForce(wanted: RuleSet, saved: string): boolean {
  return isInPlace(
    wanted,
    saved.split("\n").filter((line) => line.startsWith("-A ")),
  );
}

function isInPlace(wanted: RuleSet, present: readonly string[]): boolean {
  const rules = present.filter((line) => isIn(line, inboundChain) || isIn(line, outboundChain));
  const ordered = [inboundChain, outboundChain].every((chain) =>
    isEqualList(
      rules.filter((line) => isIn(line, chain)),
      wanted.rules.filter((line) => isIn(line, chain)),
    ),
  );
  const jumps = present.filter((line) => isOurJump(line));
  if (!ordered || jumps.length !== wanted.jumps.length) return false;
  return wanted.jumps.every((jump) => {
    const chain = jump.split(" ")[1]!;
    return present.find((line) => isIn(line, chain)) === jump;
  });
}

function isIn(line: string, chain: string): boolean {
  return line.startsWith(`-A ${chain} `);
}

/** Whatever jumps into our chains, also with other matches than today's. */
function isOurJump(line: string): boolean {
  return !isIn(line, inboundChain) && !isIn(line, outboundChain) && jumpsToOurs.test(line);
}

const jumpsToOurs = new RegExp(` -[jg] (?:${inboundChain}|${outboundChain})$`);

function isEqualList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((line, index) => line === right[index]);
}

/** In the order in which iptables-save prints: matches, comment, target. */
function ruleLine(chain: string, match: string, name: string, target: string): string {
  return `-A ${chain} ${match} -m comment --comment "proxy-init/${name}" -j ${target}`;
}

function tcpPort(port: number): string {
  return `-p tcp -m tcp --dport ${port}`;
}

function restoreText(lines: readonly string[]): string {
  return ["*nat", ...lines, "COMMIT", ""].join("\n");
}
