import test from "ava";
import { envoyPlan } from "./envoy.ts";
import { haproxyPlan } from "./haproxy.ts";
import { nginxPlan } from "./nginx.ts";
import type { PeerPlan, Role } from "./peer.ts";

const folder = { path: "/folder" };

const peers: Readonly<Record<string, (role: Role) => PeerPlan>> = {
  "envoy over HTTP/1.1": (role) => envoyPlan("envoy", folder, role, "http1"),
  "envoy over HTTP/2": (role) => envoyPlan("envoy", folder, role, "http2"),
  "haproxy over HTTP/1.1": (role) => haproxyPlan("haproxy", folder, role, "http1"),
  "haproxy over HTTP/2": (role) => haproxyPlan("haproxy", folder, role, "http2"),
  nginx: (role) => nginxPlan("nginx", folder, role),
};

const text = (plan: PeerPlan): string => plan.files[0]!.text;

for (const [name, plan] of Object.entries(peers)) {
  test(`${name} reads the file that its plan writes`, (t) => {
    for (const role of ["plain-out", "out", "in"] as const) {
      const { files, parameters } = plan(role);
      t.true(parameters.includes(`/folder/${files[0]!.name}`));
    }
  });

  test(`${name} listens where the redirects lead`, (t) => {
    t.regex(text(plan("plain-out")), /\b5000\b/);
    t.regex(text(plan("out")), /\b5000\b/);
    t.regex(text(plan("in")), /\b4000\b/);
  });

  test(`${name} has no certificate in the plain hop`, (t) => {
    t.notRegex(text(plan("plain-out")), /\.crt|\.pem/);
    t.true(text(plan("plain-out")).includes("10.203.0.3"));
  });

  test(`${name} verifies the other end on both sides, with TLS 1.3`, (t) => {
    for (const role of ["out", "in"] as const) {
      const config = text(plan(role));
      t.true(config.includes("/folder/ca.crt"));
      t.regex(config, /TLSv1_?\.?3/);
      t.true(config.includes("10.203.0.2"));
    }
    t.regex(text(plan("out")), /"exact": "spiffe:|verify required verifyhost|proxy_ssl_verify on/);
    t.regex(
      text(plan("in")),
      /require_client_certificate": true|verify required|ssl_verify_client on/,
    );
  });

  test(`${name} writes an access log`, (t) => {
    for (const role of ["plain-out", "out", "in"] as const) {
      const { accessLog } = plan(role);
      t.is(accessLog, `/folder/${role}.log`);
      t.true(text(plan(role)).includes(accessLog) || text(plan(role)).includes("log stdout"));
    }
  });
}

test("envoyPlan checks SPIFFE IDs: outbound the exact one, inbound the trust domain", (t) => {
  const outbound = text(envoyPlan("envoy", folder, "out", "http1"));
  t.true(outbound.includes('"exact": "spiffe://cluster.local/ns/app-b/sa/app-b"'));
  const inbound = text(envoyPlan("envoy", folder, "in", "http1"));
  t.true(inbound.includes('"prefix": "spiffe://cluster.local/"'));
});

test("envoyPlan speaks HTTP/2 only between the two, and only when asked", (t) => {
  t.true(text(envoyPlan("envoy", folder, "out", "http2")).includes("http2_protocol_options"));
  t.true(text(envoyPlan("envoy", folder, "in", "http2")).includes('"codec_type": "HTTP2"'));
  t.true(text(envoyPlan("envoy", folder, "out", "http2")).includes('"codec_type": "HTTP1"'));
  for (const role of ["plain-out", "out", "in"] as const) {
    t.notRegex(text(envoyPlan("envoy", folder, role, "http1")), /http2|HTTP2|"h2"/);
  }
});

test("haproxyPlan speaks HTTP/2 only when asked", (t) => {
  t.regex(text(haproxyPlan("haproxy", folder, "out", "http2")), /server next .* alpn h2/);
  t.notRegex(text(haproxyPlan("haproxy", folder, "out", "http1")), /alpn/);
});
