// `signet identity` as the command tree has it: words, options and what its help teaches.
import type { Argument, Command } from "../command.ts";

const identity: Argument = {
  name: "identity",
  summary: "namespace/service-account, or the whole SPIFFE ID",
  kind: "identity",
};

export const identityCommands: Command = {
  name: "identity",
  summary: "See who is who in the mesh, and put a stop to one of them",
  commands: [
    {
      name: "list",
      summary: "List each identity with its pods, its certificates' end, and who is suspended",
      options: [
        {
          long: "--namespace",
          short: "-n",
          summary: "only this namespace",
          value: { name: "NAMESPACE", kind: "namespace" },
        },
        { long: "--suspended", summary: "only those that are suspended" },
      ],
      examples: [
        { command: "signet identity list", shows: "every identity, and whether it may speak" },
        { command: "signet identity list --suspended -o json", shows: "who may not, and why" },
      ],
    },
    {
      name: "suspend",
      summary: "Issue it nothing more, let no sidecar speak with it, close what it has open",
      details:
        "Makes an IdentitySuspension, which says why for as long as it is there, and waits until every\n" +
        "sidecar has said that it knows. From then on nobody answers or calls that identity, whatever\n" +
        "certificate it shows; while the controllers are away, too. Exits with 1 when a sidecar does\n" +
        "not know within 10 s: it is named, and is told when it comes back. The mesh's own identities\n" +
        "cannot be suspended.",
      arguments: [identity],
      options: [
        {
          long: "--reason",
          summary: "why; kept with the suspension, and in the controllers' logs (required)",
          value: { name: "TEXT", kind: "text" },
        },
        { long: "--in-advance", summary: "also when no pod has that identity" },
      ],
      examples: [
        {
          command: "signet identity suspend app-b/app-b --reason stolen-token",
          shows: "nobody speaks with app-b any more",
        },
        {
          command: "kubectl get suspensions",
          shows: "the same objects, where the mesh is on a cluster",
        },
      ],
    },
    {
      name: "resume",
      summary: "Take a suspension back",
      details:
        "Deletes every IdentitySuspension of that identity. Its sidecars ask for a stream and, where\n" +
        "theirs has ended, for a certificate every few seconds: all is as before within 20 s. Doing it\n" +
        "again changes nothing.",
      arguments: [identity],
      examples: [
        { command: "signet identity resume app-b/app-b", shows: "it may speak again" },
        {
          command: "signet identity resume spiffe://cluster.local/ns/app-b/sa/app-b",
          shows: "the same, by its whole name",
        },
      ],
    },
  ],
};
