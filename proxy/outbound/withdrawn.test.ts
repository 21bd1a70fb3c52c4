// What is open to another trust domain is closed when the federation with it is withdrawn, and nothing else.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import type { FederatedBundles } from "#/api/discovery.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { untilClosed } from "#/test/kit/soon.ts";
import { Deadlines } from "../net/deadline.ts";
import { severedFor } from "../net/sever.ts";
import { ProxyMetrics } from "../observe/metrics.ts";
import { ProvenConnections } from "./proven.ts";

const own = parseSpiffeId("spiffe://cluster.local/ns/a/sa/a");
const member = parseSpiffeId("spiffe://cluster.local/ns/b/sa/b");
const partner = parseSpiffeId("spiffe://partner.mesh/ns/a/sa/a");
const other = parseSpiffeId("spiffe://other.mesh/ns/a/sa/a");
const bundlesOf = (...names: readonly string[]): FederatedBundles =>
  new Map(
    names.map(parseTrustDomain).map((trustDomain) => {
      return [trustDomain, { trustDomain, roots: [], jwtAuthorities: [] }];
    }),
  );

test("a withdrawn federation closes what is open to its trust domain, and admits nobody of it", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const deadlines = new Deadlines(systemClock);
  t.teardown(() => deadlines.stop());
  const metrics = new ProxyMetrics();
  const proven = new ProvenConnections({ own, clock: systemClock, deadlines, metrics });
  const open = async (id: typeof own): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    t.teardown(() => socket.destroy());
    await once(socket, "connect");
    proven.add(socket, { id, group: "X25519MLKEM768" }, Date.now() + 60_000);
    return socket;
  };
  t.is(proven.refusalOf(partner), "trust_domain_not_federated", "before anything was told");
  t.is(proven.federate(bundlesOf("partner.mesh", "other.mesh")), 0);
  const [toMember, toPartner, toOther] = await Promise.all([
    open(member),
    open(partner),
    open(other),
  ]);
  t.is(proven.federate(bundlesOf("partner.mesh", "other.mesh")), 0, "another root of it, perhaps");
  const closed = untilClosed(toPartner);
  t.is(proven.federate(bundlesOf("other.mesh")), 1);
  await closed;
  t.is(severedFor(toPartner), "trust_domain_not_federated");
  t.false(toMember.destroyed || toOther.destroyed);
  t.deepEqual(
    [member, partner, other].map((id) => proven.refusalOf(id)),
    [null, "trust_domain_not_federated", null],
  );
  t.is(proven.federate(bundlesOf()), 1);
  t.false(toMember.destroyed);
  t.regex(
    metrics.registry.expose(),
    /refusals_total\{direction="outbound",reason="trust_domain_not_federated"\} 2/,
  );
});
