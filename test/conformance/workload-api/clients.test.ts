// The Workload API of a sidecar as it ships, asked by programs that know nothing of us: go-spiffe, PyPI's
// spiffe and Maven's java-spiffe, each through its own gRPC. Certificates of 30 s, so that a rotation is near.
import path from "node:path";
import test from "ava";
import { run } from "../../cluster/command.ts";
import { SidecarLab, neighbourAddress } from "../../kit/sidecar-lab.ts";

const folderOf = (language: string): string => {
  const folder = process.env[`SIGNET_TEST_${language}_SPIFFE`] ?? "";
  if (folder !== "") return folder;
  throw new Error("Run it by npm run test:conformance, which fetches the libraries");
};

const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const java = folderOf("JAVA");
const python = folderOf("PYTHON");
interface Library {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}
const libraries: readonly Library[] = [
  { name: "go-spiffe", command: [path.join(folderOf("GO"), "go-spiffe")] },
  {
    name: "spiffe of PyPI",
    command: ["python3", path.join(python, "client.py")],
    environment: { PYTHONPATH: path.join(python, "packages"), PYTHONDONTWRITEBYTECODE: "1" },
  },
  {
    name: "java-spiffe",
    command: ["java", "-cp", path.join(java, "lib/*"), path.join(java, "Client.java")],
  },
];

let lab: SidecarLab;
test.before(async () => {
  lab = await SidecarLab.create([80], {
    workloadFolder: true,
    controller: { SIGNET_BUNDLE_PORT: "8444" },
    environment: {
      SIGNET_WORKLOAD_SOCKET: "/run/spiffe/workload.sock",
      SIGNET_SVID_LIFETIME_S: "30",
    },
  });
});
test.after.always(async () => {
  await lab?.[Symbol.asyncDispose]();
});

const socketOf = ({ workloadFolder }: SidecarLab): string =>
  `unix://${path.join(workloadFolder, "workload.sock")}`;

/** What the client prints, a record a line; throws with what it says when it fails. */
async function ask(
  { command, environment = {} }: Library,
  words: readonly string[],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const [program = "", ...first] = command;
  const SPIFFE_ENDPOINT_SOCKET = socketOf(lab);
  const { exitCode, stdout, stderr } = await run(program, [...first, ...words], {
    environment: { ...process.env, ...environment, SPIFFE_ENDPOINT_SOCKET },
    timeoutMs: 150_000,
  });
  if (exitCode !== 0) throw new Error(`It ended with ${exitCode}: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

for (const library of libraries) {
  test(`${library.name} fetches an identity, and hears of each rotation`, async (t) => {
    const seen = await ask(library, ["watch", "3"]);
    const common = { id, chain: 3, roots: 1 };
    for (const { serial: _serial, ...rest } of seen) t.deepEqual(rest, common);
    t.is(new Set(seen.map(({ serial }) => serial)).size, 3);
  });

  test(`${library.name} does mutual TLS with what it got, before a rotation and after`, async (t) => {
    const seen = await ask(library, ["mtls", "1"]);
    t.deepEqual(
      seen.map(({ heard, tls }) => ({ heard, tls })),
      [1, 2].map(() => ({ heard: "hello", tls: "TLS 1.3" })),
    );
    t.is(new Set(seen.map(({ serial }) => serial)).size, 2);
  });
}

for (const library of libraries) {
  test(`${library.name} fetches a token for an audience, and verifies it by the bundle and by us`, async (t) => {
    const [{ minutes, ...token } = {}] = await ask(library, ["jwt", "app-b"]);
    t.deepEqual(token, { id, audience: ["app-b"] });
    // Five, or what is left of them: a token is kept for half of its life.
    t.true(Number(minutes) >= 2 && Number(minutes) <= 5, String(minutes));
  });
}

test("go-spiffe fetches the bundle from the controller as another trust domain does", async (t) => {
  const controllerId = "spiffe://cluster.local/ns/signet-system/sa/signet-controller";
  const federate = (endpoint: string) =>
    lab.neighbour.run(
      path.join(folderOf("GO"), "go-spiffe"),
      ["federate", `https://${neighbourAddress}:8444/bundle`, endpoint],
      { environment: { SPIFFE_ENDPOINT_SOCKET: socketOf(lab) } },
    );
  const { stdout, stderr } = await federate(controllerId);
  const { sequence, ...bundle } = JSON.parse(stdout === "" ? stderr : stdout) as {
    readonly sequence: number;
  };
  t.deepEqual(bundle, { trustDomain: "cluster.local", x509: 1, jwt: 3, refreshS: 300 });
  const today = Math.floor(Date.now() / 86_400_000) * 86_400;
  t.true(sequence >= today && sequence <= Date.now() / 1000);
  const stranger = await federate("spiffe://cluster.local/ns/other/sa/other");
  t.not(stranger.exitCode, 0);
});

test("go-spiffe fetches the bundle of the trust domain", async (t) => {
  const [go] = libraries;
  t.deepEqual(await ask(go!, ["bundles"]), [{ trustDomain: "cluster.local", roots: 1 }]);
});
