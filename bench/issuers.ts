// Who issues in the suite `ca`, and how each is set up for a work.
import { makeLibraryIssuer } from "./peers/x509.ts";
import { makeRequests } from "./requests.ts";

export interface IssuerContext {
  /** For files of this run; removed at its end. */
  readonly folder: string;
  readonly now: () => number;
}

export interface Issuer extends AsyncDisposable {
  readonly subject: string;
  /** Issues one certificate; `index` picks the request. Rejects rather than issuing nothing. */
  readonly issue: (index: number) => Promise<unknown>;
}

type MakeIssuer = (context: IssuerContext) => Promise<Issuer>;

export const issueWorks: Readonly<Record<string, Readonly<Record<string, MakeIssuer>>>> = {
  "issue-core": { "peculiar-x509": libraryIssuer },
};

async function libraryIssuer({ now }: IssuerContext): Promise<Issuer> {
  const [requests, issuer] = await Promise.all([makeRequests(), makeLibraryIssuer(now)]);
  return {
    subject: "peculiar-x509",
    issue: (index) => issuer.issue(requests[index % requests.length]!),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
