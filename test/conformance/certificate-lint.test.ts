// zlint's opinion on what our CA makes. It is asked by every rule but those that are for others, and what
// it finds stands here with the reason why it stays.
import test from "ava";
import { authorityExtensions, forge, makeAuthority, leafExtensions, newKey } from "../kit/forge.ts";
import { certificates } from "./certificates.ts";
import { lint } from "./lint.ts";

/** Sources of lints that are left out, and why. What the RFCs and the community ask for stays. */
const notForUs: Readonly<Record<string, string>> = {
  CABF_BR:
    "public TLS: DNS names alone, policies, revocation lists, countries; no URI may be a name",
  CABF_EV: "public TLS with a company's papers",
  CABF_SMIME_BR: "mail",
  CABF_CS_BR: "signed programs",
  Mozilla: "authorities in Mozilla's store, which ours are never in",
  Apple: "authorities in Apple's store, which ours are never in",
  ETSI_ESI: "qualified certificates of European law",
};

/** What is found all the same, and why it stays. */
const accepted: Readonly<Record<string, string>> = {
  e_name_constraint_not_fqdn:
    "a trust domain need not be a whole domain name (SPIFFE-ID section 2.1); one label is allowed",
  e_ext_san_uri_host_not_fqdn_or_ip: "the same, in the leaf's URI",
  w_ext_subject_key_identifier_missing_sub_cert:
    "RFC 5280 section 4.2.1.2 says SHOULD for leaves; nothing is issued below them, so nobody reads it",
};

const program = process.env["SIGNET_TEST_CERTIFICATE_LINT"] ?? "certificate-lint";
const count = Number(process.env["SIGNET_TEST_CERTIFICATES"] ?? "2000");
const seed = process.env["FUZZ_SEED"] ?? String(Date.now());
/** Root, intermediate and issuer of each of four trust domains. */
const authorities = 12;

test(`zlint finds nothing in ${count} certificates and their authorities but what is listed`, async (t) => {
  t.timeout(20 * 60_000);
  t.log(`FUZZ_SEED=${seed}`);
  const report = await lint(program, Object.keys(notForUs), certificates(count, seed));
  t.is(report.certificates, count + authorities);
  t.true(report.lints >= 150, `${report.lints} lints`);
  for (const one of report.findings) {
    t.log(`${one.count} times ${one.lint} (${one.source})`);
    const told = `${one.lint}: ${one.detail}, first in ${one.first}`;
    t.true(Object.hasOwn(accepted, one.lint), told);
  }
  // What is no longer found has no place in the list.
  t.deepEqual(
    [...new Set(report.findings.map((one) => one.lint))].toSorted(),
    Object.keys(accepted).toSorted(),
  );
});

test("zlint sees what is wrong with a certificate, when something is", async (t) => {
  const root = makeAuthority("root", null, authorityExtensions("any"));
  const leaf = (serial: Uint8Array): Uint8Array =>
    forge({
      subject: "",
      key: newKey(),
      issuer: root,
      extensions: leafExtensions("spiffe://cluster.local/ns/a/sa/a"),
      serial,
    });
  const report = await lint(program, Object.keys(notForUs), [
    leaf(new Uint8Array(21).fill(0x41)),
    Uint8Array.of(0x30, 0),
  ]);
  const found = report.findings.map((one) => one.lint);
  t.true(found.includes("e_serial_number_longer_than_20_octets"), found.join(" "));
  t.true(found.includes("e_ext_authority_key_identifier_no_key_identifier"), found.join(" "));
  t.true(found.includes("unreadable"), found.join(" "));
});
