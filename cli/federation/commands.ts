// `signet federation` as the command tree has it: words, options and what its help teaches.
import type { Argument, Command } from "../command.ts";

const trustDomain: Argument = {
  name: "trust-domain",
  summary: "the other trust domain, without scheme: partner.example",
  kind: "text",
};

export const federationCommands: Command = {
  name: "federation",
  summary: "See and say with which other trust domains the mesh speaks",
  commands: [
    {
      name: "list",
      summary:
        "List each federated trust domain with its bundle's state, and which sidecars have it",
      examples: [
        { command: "signet federation list", shows: "who is believed, since when, until when" },
      ],
    },
    {
      name: "show",
      summary: "Show one of them as each controller has it: endpoint, roots, keys, what is wrong",
      arguments: [trustDomain],
      examples: [
        { command: "signet federation show partner.example", shows: "its roots by fingerprint" },
      ],
    },
    {
      name: "bundle",
      summary: "Print this mesh's own bundle, for the other side to begin with",
      details:
        "Public keys alone, as the bundle endpoint serves them (SPIFFE's format). Hand it over by a way\n" +
        "that both sides trust: it is what the other side believes this mesh's endpoint by.",
      examples: [
        { command: "signet federation bundle > ours.json", shows: "what the other side needs" },
      ],
    },
    {
      name: "add",
      summary: "Federate with a trust domain: fetch its bundle, and believe it about its own",
      details:
        "Makes a FederatedTrustDomain. Nobody of that trust domain may call for that: policies name who\n" +
        "may (PeerAuthentication, foreignCallers). With --endpoint-id and --bundle the endpoint\n" +
        "proves that SPIFFE ID under that bundle (https_spiffe), which another mesh of ours does as\n" +
        "spiffe://TRUST-DOMAIN/ns/signet-system/sa/signet-controller; without, its host's name by a\n" +
        "public certificate (https_web).",
      arguments: [trustDomain],
      options: [
        {
          long: "--url",
          summary: "where its bundle is served, https://HOST:PORT/PATH (required)",
          value: { name: "URL", kind: "text" },
        },
        {
          long: "--endpoint-id",
          summary: "the SPIFFE ID that the endpoint has to prove",
          value: { name: "SPIFFE-ID", kind: "text" },
        },
        {
          long: "--bundle",
          summary: "its first bundle, as the other side's federation bundle printed it",
          value: { name: "FILE", kind: "file" },
        },
      ],
      examples: [
        {
          command: "signet federation add partner.example --url https://partner.example/bundle",
          shows: "an endpoint with a public certificate",
        },
      ],
    },
    {
      name: "remove",
      summary: "Take a federation back, and close what is open to that trust domain",
      arguments: [trustDomain],
      examples: [
        {
          command: "signet federation remove partner.example",
          shows: "it is not believed any more",
        },
      ],
    },
  ],
};
