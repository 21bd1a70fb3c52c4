import test from "ava";
import type { CertificateSummary, Inspection } from "#/identity/inspect.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { golden, goldenJson } from "#/test/kit/golden.ts";
import { inspectionJson, inspectionText, isValid, listText } from "./certificate-text.ts";
import type { Subject } from "./certificate-text.ts";
import type { IssuedCertificate } from "./issued.ts";
import { chooseStyle } from "./paint.ts";

const plain = chooseStyle({ colour: false, unicode: true });
const NOW = Date.UTC(2026, 10, 21, 8, 5, 0);
const MINUTE = 60_000;

const leaf: CertificateSummary = {
  subject: "",
  issuer: "CN=signet issuer 1",
  serial: "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
  notBefore: NOW - 6 * MINUTE,
  notAfter: NOW + 10 * MINUTE,
  keyKind: "ec-p256",
  signatureAlgorithm: "ecdsa-with-SHA256",
  isAuthority: false,
  pathLengthMax: null,
  names: ["uri:spiffe://cluster.local/ns/app-a/sa/app-a"],
  keyUsage: ["digitalSignature"],
  extendedKeyUsage: ["serverAuth", "clientAuth"],
  nameConstraints: [],
  subjectKeyId: "01".repeat(20),
  authorityKeyId: "02".repeat(20),
  fingerprint: "ab".repeat(32),
};

const issuer: CertificateSummary = {
  ...leaf,
  subject: "CN=signet issuer 1",
  issuer: "CN=signet root",
  names: [],
  isAuthority: true,
  pathLengthMax: 0,
  nameConstraints: ["permitted uri:cluster.local"],
  notAfter: NOW + 24 * 60 * MINUTE,
};

const root: CertificateSummary = {
  ...issuer,
  subject: "CN=signet root",
  nameConstraints: [],
  pathLengthMax: null,
  notAfter: NOW + 3650 * 24 * 60 * MINUTE,
};

const whole: Inspection = {
  id: parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a"),
  certificates: [leaf, issuer, root],
  leftMs: 10 * MINUTE,
  checks: [
    {
      code: "leaf_key_unsupported",
      demand: "the key is on the curve P-256",
      passed: true,
      fault: "",
    },
    { code: "chain_expired", demand: "the leaf is valid now", passed: true, fault: "" },
  ],
};

const logged: IssuedCertificate = {
  logIndex: 42,
  id: "spiffe://cluster.local/ns/app-a/sa/app-a",
  namespace: "app-a",
  pod: "app-a-5f6c7d-0",
  issuedAt: NOW - 5 * MINUTE,
  notBefore: leaf.notBefore,
  notAfter: leaf.notAfter,
  serial: leaf.serial,
  issuerSerial: "01",
  serviceAccount: "app-a",
  node: "",
  policy: "",
  podUid: "4f0c",
  address: "10.77.1.2",
  tokenHash: "aa".repeat(32),
  keyFingerprint: "bb".repeat(32),
  log: "signet-controller-0",
  chain: [],
};

const subject = { origin: "pod app-a/app-a-5f6c7d-0", logged, unchecked: "", endpoint: null };

const atEndpoint: Subject = {
  ...subject,
  origin: "endpoint app-a/app-a-5f6c7d-0:8080",
  endpoint: {
    handshake: {
      version: "TLSv1.3",
      cipher: "TLS_AES_256_GCM_SHA384",
      group: "X25519MLKEM768",
      alpn: "signet-http/1.1",
      isResumed: false,
      verification: "",
      chain: ["AA=="],
      elapsedMs: 12.4,
    },
    checks: [
      {
        code: "peer_identity_unexpected",
        demand: 'the identity is "spiffe://cluster.local/ns/app-b/sa/app-b"',
        passed: false,
        fault: "it is another",
      },
    ],
  },
};

const broken: Inspection = {
  ...whole,
  id: null,
  certificates: [{ ...leaf, names: [], subject: "CN=somebody", notAfter: NOW - MINUTE }],
  leftMs: -MINUTE,
  checks: [
    ...whole.checks.slice(0, 1),
    {
      code: "leaf_names_invalid",
      demand: "subjectAltName is one URI",
      passed: false,
      fault: "there is \u001b[2Jmore than one name",
    },
    {
      code: "chain_expired",
      demand: "the leaf is valid now",
      passed: false,
      fault: "it has ended",
    },
  ],
};

for (const [name, inspection, of] of [
  ["whole", whole, subject],
  [
    "broken",
    broken,
    {
      origin: "file leaf.pem",
      logged: null,
      unchecked: "no trusted roots are known here",
      endpoint: null,
    },
  ],
  ["endpoint", whole, atEndpoint],
] as const) {
  test(`inspectionText of a ${name} certificate as in its golden file`, (t) => {
    const text = `${inspectionText(inspection, of, NOW, plain).join("\n")}\n`;
    t.is(text, golden(new URL(`golden/inspect-${name}.txt`, import.meta.url), text));
  });
  test(`inspectionJson of a ${name} certificate as in its golden file`, (t) => {
    const text = goldenJson(inspectionJson(inspection, of));
    t.is(text, golden(new URL(`golden/inspect-${name}.json`, import.meta.url), text));
  });
}

test("inspectionText lets no fault steer the terminal", (t) => {
  const lines = inspectionText(broken, { ...subject, logged: null }, NOW, plain);
  t.false(lines.join("").includes("\u001b"));
});

test("isValid is false as soon as one rule is broken", (t) => {
  t.true(isValid(whole, subject));
  t.false(isValid(broken, subject));
  t.false(isValid(whole, atEndpoint), "also one of the handshake");
});

test("listText has a line for each certificate, fitted to the terminal", (t) => {
  const ended = { ...logged, pod: "old", notAfter: NOW - MINUTE, logIndex: null };
  const wide = listText([logged, ended], NOW, 160, plain);
  const narrow = listText([logged, ended], NOW, 80, plain);
  const text = `${[...wide, "", ...narrow].join("\n")}\n`;
  t.is(text, golden(new URL("golden/list.txt", import.meta.url), text));
  t.true(narrow.every((line) => line.length <= 80));
});

test("listText says that there is nothing", (t) => {
  t.deepEqual(listText([], NOW, 80, plain), ["no certificate has been issued"]);
});
