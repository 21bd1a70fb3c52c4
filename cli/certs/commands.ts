// `signet certs` as the command tree has it: words, options and what its help teaches.
import type { Argument, Command, Option } from "../command.ts";

const namespace: Option = {
  long: "--namespace",
  short: "-n",
  summary: "only this namespace",
  value: { name: "NAMESPACE", kind: "namespace" },
};
const identity: Option = {
  long: "--identity",
  summary: "only this one: namespace/service-account, or the whole SPIFFE ID",
  value: { name: "IDENTITY", kind: "identity" },
};
const alpn: Option = {
  long: "--alpn",
  summary: "of an endpoint: protocols to offer, with commas between (default: as sidecars do)",
  value: { name: "NAMES", kind: "text" },
};
const serverName: Option = {
  long: "--server-name",
  summary: "of an endpoint: what to ask for by SNI (default: the host's name)",
  value: { name: "NAME", kind: "text" },
};
const source = (name: string): Argument => ({
  name,
  summary: "a pod, a serial number, a file (PEM or DER), HOST:PORT, POD:PORT, or -",
  kind: "pod-or-file",
});

export const certs: Command = {
  name: "certs",
  summary: "Look at certificates: issued ones, those in use, in files, at endpoints",
  commands: [
    {
      name: "list",
      summary: "List each identity with its certificate and how long it still lives",
      details:
        "From the controllers' logs, the newest of each pod; with --live from the sidecars themselves,\n" +
        "beside what the log says is their newest; with files from those.",
      arguments: [
        {
          name: "files",
          summary: "list what is in these instead (PEM or DER)",
          kind: "file",
          variadic: true,
          isOptional: true,
        },
      ],
      options: [
        namespace,
        identity,
        { long: "--all", summary: "every certificate in the log, the replaced ones too" },
        {
          long: "--ends-within",
          summary: "only those that end within this time, or have ended: 10m, 1h30m",
          value: { name: "TIME", kind: "text" },
        },
        { long: "--live", summary: "what each sidecar holds at this moment", excludes: "--all" },
        { long: "--pem", summary: "print them as PEM and nothing else", excludes: "--live" },
      ],
      examples: [
        { command: "signet certs list", shows: "who may speak in the mesh right now" },
        { command: "signet certs list -n app-b -o json", shows: "one namespace, for programs" },
        { command: "signet certs list --live --ends-within 5m", shows: "sidecars that are late" },
        { command: "signet certs list chain.pem", shows: "what is in a file" },
      ],
    },
    {
      name: "inspect",
      summary: "Show everything about one certificate, each SPIFFE rule checked",
      details:
        "Takes a pod (its certificate as the controller logged it), a serial number of the log, a PEM\n" +
        "or DER file, - for standard input, or a TLS endpoint, which is asked with a TLS 1.3 handshake\n" +
        "as a sidecar begins it: HOST:PORT, or a pod of the mesh on this machine as NAMESPACE/POD:PORT.\n" +
        "Exits with 1 when a rule is broken, or the certificate has ended.",
      arguments: [source("source")],
      options: [
        { long: "--pem", summary: "print the chain as PEM and nothing else" },
        alpn,
        serverName,
        {
          long: "--expect",
          summary: "of an endpoint: the identity that it has to prove",
          value: { name: "IDENTITY", kind: "identity" },
        },
      ],
      examples: [
        { command: "signet certs inspect app-a/app-a", shows: "a pod, by a part of its name" },
        { command: "signet certs inspect leaf.pem", shows: "any certificate, of any origin" },
        {
          command: "signet certs inspect app-b/app-b-v1:8080 --expect app-b/app-b",
          shows: "what a sidecar would see there",
        },
        {
          command: "signet certs inspect app-b-v1 --pem | openssl x509 -noout -text",
          shows: "the same certificate in another tool's words",
        },
      ],
    },
    {
      name: "who",
      summary: "Say who asked for a certificate: pod, UID, node, address, token",
      details:
        "Takes a serial number, a SHA-256 fingerprint (of the certificate or of its public key), or an\n" +
        "identity, of which it lists the newest. What is said of `pod now` and `policy now` is what is known\n" +
        "now; all else was logged at the time.",
      arguments: [
        {
          name: "whose",
          summary: "a serial number, a fingerprint, namespace/service-account or a SPIFFE ID",
          kind: "identity",
        },
      ],
      options: [
        {
          long: "--limit",
          summary: "of an identity: no more than so many (default: 20)",
          value: { name: "COUNT", kind: "text" },
        },
      ],
      examples: [
        { command: "signet certs who 4857efcf890d968e2530dd8ace33d1c6", shows: "one certificate" },
        { command: "signet certs who app-b/app-b", shows: "everybody who asked to be app-b" },
      ],
    },
    {
      name: "watch",
      summary: "Print each certificate as it is issued, until Ctrl-C",
      details:
        "Follows the logs and proves each step: what is printed is in the log for good. Exits with 1 when\n" +
        "a log takes something back.",
      options: [
        namespace,
        identity,
        {
          long: "--count",
          summary: "end after so many",
          value: { name: "COUNT", kind: "text" },
        },
      ],
      examples: [
        { command: "signet certs watch -n app-b", shows: "one line for each issuance" },
        { command: "signet certs watch -o json --count 1", shows: "the next one, for programs" },
      ],
    },
    {
      name: "diff",
      summary: "Compare two certificates field by field",
      details: "Each may be whatever inspect takes. Exits with 1 when they differ, as diff does.",
      arguments: [source("one"), source("other")],
      options: [{ long: "--all", summary: "the fields that are equal, too" }, alpn, serverName],
      examples: [
        {
          command: "signet certs diff app-b/app-b-v1 app-b/app-b-v2",
          shows: "two pods of one identity",
        },
        {
          command: "signet certs diff app-b/app-b-v1 app-b/app-b-v1:8080",
          shows: "what was logged, and what is shown",
        },
      ],
    },
  ],
};
