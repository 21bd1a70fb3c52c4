import { execFileSync } from "node:child_process";
import test from "ava";
import { netnsTest } from "#/test/kit/netns-test.ts";
import { createLab } from "#/test/kit/netns.ts";
import { serviceRules } from "./network.ts";
import type { ServiceBackend } from "./network.ts";

function service(...pods: number[]): ServiceBackend {
  const backends = pods.map((pod) => ({ address: `10.77.1.${pod}`, port: 8080 }));
  return { service: "n/web", address: "10.78.0.1", port: 80, backends };
}

test("serviceRules spreads over all backends alike", (t) => {
  const lines = serviceRules([service(1, 2, 3)])
    .split("\n")
    .filter((line) => line.includes("DNAT"));
  t.deepEqual(
    lines.map((line) => /--probability (\S+)/.exec(line)?.[1] ?? "all"),
    ["0.333333", "0.500000", "all"],
  );
  t.true(
    lines.every((line) =>
      line.startsWith("-A PREROUTING -d 10.78.0.1/32 -p tcp -m tcp --dport 80"),
    ),
  );
});

test("serviceRules refuses connections to a Service without a backend, rather than losing them", (t) => {
  const rules = serviceRules([service()]);
  t.notRegex(rules, /DNAT/);
  t.regex(rules, /-A FORWARD -d 10.78.0.1\/32 .*REJECT --reject-with tcp-reset/);
});

test("serviceRules of no Service is a table that clears the last one", (t) => {
  t.is(
    serviceRules([]),
    "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
  );
});

netnsTest("serviceRules is taken by the kernel, and replaced whole each time", async (t) => {
  await using lab = await createLab();
  const { name } = await lab.addNamespace("rules");
  const restore = (services: readonly ServiceBackend[]): void => {
    const options = { input: serviceRules(services) };
    execFileSync("nsenter", [`--net=/run/netns/${name}`, "iptables-restore"], options);
  };
  const rules = (): number =>
    execFileSync("nsenter", [`--net=/run/netns/${name}`, "iptables-save"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.startsWith("-A ")).length;
  restore([service(1, 2, 3)]);
  t.is(rules(), 4);
  restore([service(1, 2, 3)]);
  t.is(rules(), 4);
  restore([service()]);
  t.is(rules(), 1);
});
