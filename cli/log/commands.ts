// The words of `signet log`.
import type { Command } from "../command.ts";

const whole =
  "Each controller keeps a log: every certificate is in it before anybody gets it, and no sidecar uses one\n" +
  "without the proof. The log is a Merkle tree, so that a few hashes prove that an entry is in it, and that\n" +
  "a later log begins with all of an earlier one. This command line checks proofs and signatures itself.";

export const log: Command = {
  name: "log",
  summary: "See what was issued, and prove that the logs of it are whole",
  details: whole,
  commands: [
    {
      name: "head",
      summary: "Show each log's size and root, and whether it is signed as it must be",
      details: "Exits with 1 when a signature does not hold.",
      examples: [
        { command: "signet log head", shows: "what the logs come to now" },
        { command: "signet log head -o json > seen.json", shows: "kept, to verify against later" },
      ],
    },
    {
      name: "show",
      summary: "Show what is in the logs, newest first, or one entry whole",
      details:
        "An entry says what was issued to whom, who asked, from where, and by which token (its hash).",
      arguments: [
        {
          name: "serial",
          summary: "the certificate whose entry is meant, by its serial number",
          kind: "text",
          isOptional: true,
        },
      ],
      options: [
        {
          long: "--limit",
          summary: "so many entries of each log, 1 to 1000",
          value: { name: "COUNT", kind: "text" },
          byDefault: "20",
        },
      ],
      examples: [
        { command: "signet log show", shows: "the newest entries" },
        { command: "signet log show 51a0c3 -o json", shows: "one entry, as it was hashed" },
      ],
    },
    {
      name: "watch",
      summary: "Print what is issued from now on, each step proven",
      details: "Until it is stopped. Exits with 1 when a log takes something back.",
      examples: [{ command: "signet log watch", shows: "certificates as they are issued" }],
    },
    {
      name: "prove",
      summary: "Prove that a pod's certificate is in a log",
      details: "Exits with 1 when the proof does not hold.",
      arguments: [
        {
          name: "pod",
          summary: "namespace/name; a part of the name that only one pod has is enough",
          kind: "pod",
        },
      ],
      examples: [{ command: "signet log prove app-b-v1", shows: "the way from entry to root" }],
    },
    {
      name: "copy",
      summary: "Copy the logs into a folder, or bring a copy up to date",
      details:
        "In files that other tools read, too (C2SP tlog-tiles). Out of the mesh's reach, a copy shows what\n" +
        "was issued even if the mesh denies it. Exits with 1 when a log does not go on from the copy.",
      arguments: [{ name: "folder", summary: "made when it is not there", kind: "directory" }],
      examples: [
        { command: "signet log copy logs", shows: "all that was issued, on your disk" },
        { command: "signet log verify logs", shows: "nothing in the copy was changed" },
      ],
    },
    {
      name: "verify",
      summary: "Prove that the logs only grew since they were seen, or that a copy is whole",
      details: "Exits with 1 when entries were taken away or changed; says which.",
      arguments: [
        {
          name: "file",
          summary:
            "what signet log head -o json printed then (- for standard input), or a copy's folder",
          kind: "file",
        },
      ],
      examples: [
        { command: "signet log verify seen.json", shows: "nothing was taken back" },
        {
          command: "signet log verify logs",
          shows: "each entry of a copy, without asking anybody",
        },
      ],
    },
    {
      name: "witness",
      summary: "Remember what each log came to, and refuse a history that was rewound or forked",
      details:
        "Looks again and again until it is stopped. The file keeps the last head of each log with its\n" +
        "signatures; put it where nobody who runs the mesh can write. Exits with 1 when a log takes something\n" +
        "back, and keeps both heads as evidence.",
      arguments: [
        { name: "file", summary: "what is remembered; made when it is not there", kind: "file" },
      ],
      options: [
        { long: "--once", summary: "look once; a log that cannot be seen fails it" },
        {
          long: "--every",
          summary: "seconds from one look to the next",
          value: { name: "SECONDS", kind: "text" },
          byDefault: "30",
        },
      ],
      examples: [
        { command: "signet log witness seen.json", shows: "the logs, every half minute" },
        { command: "signet log witness seen.json --once", shows: "once, as a scheduled job would" },
      ],
    },
  ],
};
