// Who issues in the suite `ca`, and how each is set up for a work.
import { callController } from "./controller-issuer.ts";
import { issueAlone } from "./issue-alone.ts";
import type { Issuer, IssuerContext } from "./issuer.ts";
import { appendToLedger } from "./log-issuer.ts";
import { callStepCa } from "./step-issuer.ts";

type MakeIssuer = (context: IssuerContext) => Promise<Issuer>;

export const issueWorks: Readonly<Record<string, Readonly<Record<string, MakeIssuer>>>> = {
  "issue-core": {
    signet: () => issueAlone("signet", "key"),
    "peculiar-x509": () => issueAlone("peculiar-x509", "key"),
  },
  "issue-csr": {
    signet: () => issueAlone("signet", "csr"),
    "peculiar-x509": () => issueAlone("peculiar-x509", "csr"),
  },
  "issue-request": {
    signet: (context) => callController(context, "open"),
    "step-ca": (context) => callStepCa(context, "none"),
    "step-ca-bbolt": (context) => callStepCa(context, "bbolt"),
  },
  "issue-connect": { signet: (context) => callController(context, "fresh") },
  "log-append": { signet: appendToLedger },
};
