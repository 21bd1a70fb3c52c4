// go-spiffe's opinion on the table of identity/verify.test.ts.
import { execFileSync } from "node:child_process";
import test from "ava";
import { expectedOf, id, now, roots } from "../kit/chains/chain-case.ts";
import type { ChainCase } from "../kit/chains/chain-case.ts";
import { chainCases } from "../kit/chains/table.ts";

interface Said {
  /** Empty when the chain is accepted. */
  readonly fault: string;
  readonly id: string;
}

function verdicts(cases: readonly ChainCase[]): readonly Said[] {
  const base64 = (list: readonly Uint8Array[]): readonly string[] =>
    list.map((der) => Buffer.from(der).toString("base64"));
  const input = cases.map((one) => ({
    trustDomain: "cluster.local",
    chain: base64(one.chain),
    roots: base64(one.roots ?? roots),
    at: one.at ?? now,
  }));
  const program = process.env["SIGNET_TEST_SPIFFE_VERIFY"] ?? "spiffe-verify";
  const text = execFileSync(program, { input: JSON.stringify(input), maxBuffer: 2 ** 24 });
  return JSON.parse(text.toString()) as readonly Said[];
}

const said = verdicts(chainCases);

for (const [index, one] of chainCases.entries()) {
  const expected = expectedOf(one, "goSpiffe");
  const does = expected === "accepted" ? "takes" : "refuses";
  test(`go-spiffe ${does} ${one.title}`, (t) => {
    const { fault, id: found } = said[index]!;
    t.is(fault === "", expected === "accepted", fault);
    // What both accept, both read alike.
    if (one.verdict === "accepted" && fault === "") t.true(found.startsWith(id), found);
  });
}

test("every difference between judges has its reason", (t) => {
  for (const { title, differs = {} } of chainCases) {
    for (const reason of Object.values(differs)) t.true(reason.length > 4, title);
  }
});
