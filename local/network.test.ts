// The node's rules as text; that the kernel takes them is seen in test/netns/local.test.ts.
import test from "ava";
import { serviceRules } from "./network.ts";
import type { ServiceBackend } from "./network.ts";

const service = (count: number): ServiceBackend => ({
  service: "n/web",
  address: "10.78.0.1",
  port: 80,
  backends: Array.from({ length: count }, (_, index) => ({
    address: `10.77.1.${index + 1}`,
    port: 8080,
  })),
});

const forwards = (text: string): readonly string[] =>
  text.split("\n").filter((line) => line.includes("-j DNAT"));

test("serviceRules without Services is both tables, empty", (t) => {
  const empty = "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n";
  t.is(serviceRules([]), empty);
});

test("serviceRules gives each endpoint the same share", (t) => {
  for (const count of [1, 2, 3, 7]) {
    const lines = forwards(serviceRules([service(count)]));
    t.is(lines.length, count);
    let left = 1;
    for (const [index, line] of lines.entries()) {
      const stated = / --probability (\S+) /.exec(line)?.[1];
      const share = left * Number(stated ?? 1);
      t.true(Math.abs(share - 1 / count) < 1e-5, line);
      t.is(stated === undefined, index === count - 1, "only the last one takes all that is left");
      left -= share;
    }
  }
});

test("serviceRules sends a Service's address and port to its pods, and names it", (t) => {
  t.deepEqual(forwards(serviceRules([service(1)])), [
    '-A PREROUTING -d 10.78.0.1/32 -p tcp -m tcp --dport 80 -m comment --comment "n/web" -j DNAT --to-destination 10.77.1.1:8080',
  ]);
});

test("serviceRules refuses at once what has no endpoint", (t) => {
  const text = serviceRules([service(0)]);
  t.deepEqual(forwards(text), []);
  const reject =
    '-A FORWARD -d 10.78.0.1/32 -p tcp -m tcp --dport 80 -m comment --comment "n/web without endpoint" -j REJECT --reject-with tcp-reset';
  t.true(text.split("\n").includes(reject));
});
