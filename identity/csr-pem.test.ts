import { createPublicKey, generateKeyPairSync } from "node:crypto";
import test from "ava";
import { createCsr } from "./csr.ts";
import { readCsrPem, toCsrPem } from "./csr-pem.ts";
import { parseSpiffeId } from "./spiffe-id.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = toCsrPem(createCsr(privateKey));

test("readCsrPem gives the key of a request, whatever text stands around it", (t) => {
  const key = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  t.deepEqual(Buffer.from(readCsrPem(pem)), key);
  t.deepEqual(Buffer.from(readCsrPem(`by hand:\r\n${pem.replaceAll("\n", "\r\n")}\n`)), key);
});

test("readCsrPem refuses what is none, what was changed, and what asks for more than its key", (t) => {
  for (const text of ["", "garbage", pem.slice(0, 120), pem.replaceAll("REQUEST", "")]) {
    t.throws(() => readCsrPem(text), { code: "pem_invalid" });
  }
  t.throws(() => readCsrPem(`${"x".repeat(20_000)}${pem}`), { code: "pem_invalid" });
  const der = createCsr(privateKey);
  der[der.length - 3]! ^= 1;
  t.throws(() => readCsrPem(toCsrPem(der)), { code: "csr_signature_invalid" });
  const named = createCsr(privateKey, { id: parseSpiffeId("spiffe://cluster.local/ns/a/sa/b") });
  t.throws(() => readCsrPem(toCsrPem(named)), { code: "csr_malformed", message: /asks for more/ });
  const bound = createCsr(privateKey, { token: "a.b.c" });
  t.throws(() => readCsrPem(toCsrPem(bound)), { code: "csr_malformed", message: /asks for more/ });
});
