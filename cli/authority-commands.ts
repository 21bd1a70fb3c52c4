// The commands about the mesh's authorities, as data; what they do is in commands/.
import type { Command } from "./command.ts";

export const ca: Command = {
  name: "ca",
  summary: "Look after the authorities that every certificate hangs from",
  commands: [
    {
      name: "rotate",
      summary: "Replace the root or the intermediate by a new one with a new key, while all runs",
      details:
        "The controllers do it, step by step: staged (the next root is trusted beside the present one),\n" +
        "switched (certificates are issued under the next), retired (the former is trusted by nobody,\n" +
        "and its key is destroyed). Each step waits until every sidecar has followed, and names the one\n" +
        "that lags; nothing is restarted. This command only asks and watches: it may be ended and begun\n" +
        "again. It exits with 1 unless the rotation ended as was asked.",
      arguments: [
        {
          name: "authority",
          summary: "intermediate or root",
          kind: { choices: ["intermediate", "root"] },
          isOptional: true,
        },
      ],
      options: [
        { long: "--status", summary: "show what is in force, and how far a rotation has come" },
        {
          long: "--abort",
          summary: "go back, until the former key is destroyed",
          excludes: "--status",
        },
        {
          long: "--timeout",
          summary: "watch no longer than that, as 10m; the rotation itself goes on",
          value: { name: "TIME", kind: "text" },
        },
      ],
      examples: [
        {
          command: "signet ca rotate intermediate",
          shows: "a new intermediate under the same root",
        },
        { command: "signet ca rotate root", shows: "a new root, and nobody notices" },
        { command: "signet ca rotate --status", shows: "what is in force, and who lags" },
        { command: "signet ca rotate --abort", shows: "back to the former one" },
      ],
    },
    {
      name: "request",
      summary: "Print the request for an intermediate whose root's key is kept elsewhere",
      details:
        "The controllers make the key and keep it; only the request leaves. Carry it to where the root's key\n" +
        "is, have it signed there (certs-dev sign), and carry the certificate back.",
      examples: [{ command: "signet ca request > intermediate.csr", shows: "a new key's request" }],
    },
    {
      name: "install",
      summary: "Hand in the certificate that was made of the last request, and rotate to it",
      arguments: [{ name: "certificate", summary: "PEM of the new intermediate", kind: "file" }],
      options: [
        {
          long: "--timeout",
          summary: "watch no longer than that, as 10m; the rotation itself goes on",
          value: { name: "TIME", kind: "text" },
        },
      ],
      examples: [
        { command: "signet ca install intermediate.crt", shows: "the former one retires" },
      ],
    },
  ],
};
