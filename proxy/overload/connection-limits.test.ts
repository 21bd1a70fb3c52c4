import test from "ava";
import { connectionLimits, descriptorsMaxOf } from "./connection-limits.ts";
import { memoryShareOf } from "./memory.ts";

test("connectionLimits leaves descriptors for both directions' upstreams and for the mesh itself", (t) => {
  t.deepEqual(connectionLimits(1_048_576, 20_000), {
    inbound: 20_000,
    outbound: 20_000,
    inboundPerSource: 10_000,
  });
  t.deepEqual(connectionLimits(4512, 20_000), {
    inbound: 1000,
    outbound: 1000,
    inboundPerSource: 500,
  });
  t.is(connectionLimits(Infinity, 300).inbound, 300);
  t.is(connectionLimits(64, 20_000).inbound, 16);
  t.deepEqual(connectionLimits(Infinity, 20_001, 2), {
    inbound: 10_001,
    outbound: 10_001,
    inboundPerSource: 5001,
  });
});

test("descriptorsMaxOf reads the soft limit as the kernel writes it", (t) => {
  const text = (soft: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             92537                92537                processes \nMax open files            ${soft.padEnd(21)}1048576              files     \n`;
  t.is(descriptorsMaxOf(text("20000")), 20_000);
  t.is(descriptorsMaxOf(text("unlimited")), Infinity);
  t.is(descriptorsMaxOf(""), Infinity);
});

test("memoryShareOf takes the limit that is nearer, and none where there is none", (t) => {
  const use = { residentBytes: 80, residentBytesMax: 100, heapBytes: 30, heapBytesMax: 60 };
  t.is(memoryShareOf(use), 0.8);
  t.is(memoryShareOf({ ...use, residentBytesMax: 0 }), 0.5);
  t.is(memoryShareOf({ ...use, residentBytesMax: 0, heapBytesMax: 0 }), 0);
});
