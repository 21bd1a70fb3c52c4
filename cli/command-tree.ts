// The commands of `signet` as data: what the parser reads, what help and completion are made from.
// A command does its work in commands/; its path ("certs list") is what joins the two.

import { certs } from "./certs/commands.ts";
import type { Argument, Command, Option } from "./command.ts";
import { ca } from "./authority-commands.ts";
import { federationCommands } from "./federation/commands.ts";
import { identityCommands } from "./identity/commands.ts";
import { inject, install, uninstall } from "./install/commands.ts";
import { log } from "./log/commands.ts";

export type { Argument, Command, Example, Option, ValueKind } from "./command.ts";

/** Understood by every command, before or after its own words. */
export const globalOptions: readonly Option[] = [
  {
    long: "--output",
    short: "-o",
    summary: "table for people, json for programs",
    value: { name: "FORMAT", kind: { choices: ["table", "json"] } },
    byDefault: "table",
  },
  {
    long: "--state",
    summary: "where the mesh on this machine keeps its state",
    value: { name: "DIR", kind: "directory" },
  },
  {
    long: "--context",
    summary: "the cluster to ask, by its context in the kubeconfig",
    value: { name: "NAME", kind: "text" },
    excludes: "--state",
  },
  {
    long: "--kubeconfig",
    summary: "that file instead of KUBECONFIG or ~/.kube/config",
    value: { name: "FILE", kind: "file" },
    excludes: "--state",
  },
];

const pod: Argument = {
  name: "pod",
  summary: "namespace/name; a part of the name that only one pod has is enough",
  kind: "pod",
};

const namespace: Argument = {
  name: "namespace",
  summary: "the namespace whose pods are meant",
  kind: "namespace",
};

const strict: Command = {
  name: "strict",
  summary: "Decide per namespace whether plaintext is still taken",
  commands: [
    {
      name: "status",
      summary: "Show each namespace's mode and which policy decides it",
      arguments: [],
      examples: [{ command: "signet strict status", shows: "where plaintext still gets in" }],
    },
    {
      name: "enforce",
      summary: "Refuse every connection without a mesh identity (STRICT)",
      details:
        "Sets the PeerAuthentication named default of the namespace. It takes effect while\n" +
        "everything runs, for connections that are already open, too. In signet-system it is the\n" +
        "policy of the whole mesh: it holds in every namespace without one of its own.",
      arguments: [namespace],
      examples: [{ command: "signet strict enforce app-b", shows: "only mutual TLS from now on" }],
    },
    {
      name: "permit",
      summary: "Take plaintext as well (PERMISSIVE)",
      arguments: [namespace],
      examples: [{ command: "signet strict permit app-b", shows: "while callers still move in" }],
    },
  ],
};

const local: Command = {
  name: "local",
  summary: "Run the whole mesh on this machine, each pod a network namespace",
  commands: [
    {
      name: "up",
      summary: "Start the mesh with its demo and watch it; Ctrl-C stops it and cleans up",
      options: [
        { long: "--check", summary: "walk through the tour instead: each claim with its evidence" },
        { long: "--detach", summary: "leave it running and return", excludes: "--check" },
        {
          long: "--trust-domain",
          summary: "of its identities; for a second mesh to federate with",
          value: { name: "NAME", kind: "text" },
          byDefault: "cluster.local",
          excludes: "--check",
        },
        {
          long: "--manifests",
          summary: "a file or folder of objects to start beside the demo",
          value: { name: "PATH", kind: "file" },
          excludes: "--check",
        },
      ],
      examples: [
        { command: "signet local up", shows: "the live view" },
        { command: "signet local up --check", shows: "claims proven one by one, then all stopped" },
        {
          command: "signet local up --detach",
          shows: "in the background, until signet local down",
        },
      ],
    },
    {
      name: "status",
      summary: "Show the pods, services and policies that run",
      examples: [{ command: "signet local status", shows: "one line for each pod" }],
    },
    {
      name: "down",
      summary: "Stop the mesh and remove all that it made",
      details: "Also cleans up after a run that crashed. Doing it again changes nothing.",
      examples: [{ command: "signet local down", shows: "an empty machine again" }],
    },
    {
      name: "exec",
      summary: "Run a command in a pod, as its application's user",
      details:
        "Standard input is passed on; on a terminal the command gets a terminal of its own in the\n" +
        "pod, so that a shell prompts. Its exit code becomes this one's. What stands after -- is\n" +
        "the command's, also when it begins with a dash.",
      arguments: [
        pod,
        { name: "command", summary: "the command and its arguments", kind: "text", variadic: true },
      ],
      options: [
        {
          long: "--container",
          short: "-c",
          summary: "another container's user and files than the first one's",
          value: { name: "NAME", kind: "text" },
        },
      ],
      examples: [
        { command: "signet local exec app-a -- sh", shows: "a shell inside a pod" },
        {
          command:
            "signet local exec outside/plain-client -- client http://app-b.app-b.svc.cluster.local./hello",
          shows: "a caller without a sidecar",
        },
      ],
    },
    {
      name: "logs",
      summary: "Print what a pod's containers wrote",
      arguments: [pod],
      options: [
        {
          long: "--container",
          short: "-c",
          summary: "proxy for the sidecar; the application's by default",
          value: { name: "NAME", kind: "text" },
        },
        { long: "--follow", short: "-f", summary: "go on as new lines come" },
        {
          long: "--tail",
          summary: "only the last lines; with -f, 0 for new ones alone",
          value: { name: "LINES", kind: "text" },
        },
      ],
      examples: [
        { command: "signet local logs app-a -f", shows: "app-a's answers as they come" },
        { command: "signet local logs app-b-v1 -c proxy --tail 20", shows: "the sidecar's log" },
      ],
    },
  ],
};

const tour: Command = {
  name: "tour",
  summary: "Prove the mesh's claims one by one, each with its evidence, on the mesh that runs",
  details:
    "The same claims as signet local up --check, on a cluster with the demo (kubectl apply -k k8s/demo).\n" +
    "It adds pods and a namespace of its own, changes app-b's route and policy and stops the controllers\n" +
    "for 20 s, and puts everything back. Not for a cluster that others depend on.",
  examples: [
    { command: "signet tour", shows: "each claim, proven in some two minutes" },
    { command: "signet tour --context kind-kind", shows: "on that cluster" },
  ],
};

export const commandTree: Command = {
  name: "signet",
  summary: "A service mesh whose centre is a certificate authority",
  commands: [
    local,
    certs,
    ca,
    log,
    identityCommands,
    federationCommands,
    strict,
    install,
    inject,
    uninstall,
    tour,
    {
      name: "check",
      summary:
        "Check what the mesh needs, and the mesh when one runs; each failure says what to do",
      details:
        "Looks at this machine and the mesh on it, or, when a cluster is meant, at that cluster: what it\n" +
        "takes to install the mesh, and once it is there its parts, its webhooks, every sidecar, and every\n" +
        "pod that asks for a sidecar and has none. Exits with 1 when something is to be mended.",
      examples: [
        { command: "signet check", shows: "prerequisites and health" },
        { command: "signet check --context kind-kind", shows: "the same of a cluster" },
        { command: "signet check -o json", shows: "the same for programs" },
      ],
    },
    {
      name: "completion",
      summary: "Print the completion script for a shell",
      arguments: [
        {
          name: "shell",
          summary: "bash, zsh or fish",
          kind: { choices: ["bash", "zsh", "fish"] },
        },
      ],
      examples: [
        { command: 'eval "$(signet completion bash)"', shows: "for this bash" },
        {
          command: 'signet completion zsh > "${fpath[1]}/_signet"',
          shows: "for every zsh from now on",
        },
        {
          command: "signet completion fish > ~/.config/fish/completions/signet.fish",
          shows: "for every fish from now on",
        },
      ],
    },
    {
      name: "version",
      summary:
        "Show the versions of signet and Node, and of the mesh on the cluster if one answers",
      options: [{ long: "--client", summary: "ask no cluster" }],
    },
    {
      name: "complete",
      summary: "Names that a shell may offer",
      isHidden: true,
      arguments: [
        {
          name: "kind",
          summary: "what is completed",
          kind: { choices: ["pod", "namespace", "identity"] },
        },
      ],
    },
  ],
  examples: [
    { command: "signet local up", shows: "the mesh on this machine, with a live view" },
    { command: "signet certs list", shows: "each identity and how long it still lives" },
    { command: "signet strict enforce app-b", shows: "no plaintext into a namespace" },
    { command: "signet check", shows: "what is missing, and what to do" },
  ],
};

/** Every command that does something, by its path. */
export function leaves(
  command: Command = commandTree,
  path: readonly string[] = [],
): readonly { readonly path: string; readonly command: Command }[] {
  if (command.commands === undefined) return [{ path: path.join(" "), command }];
  return command.commands.flatMap((each) => leaves(each, [...path, each.name]));
}
