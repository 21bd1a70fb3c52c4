// Proves what is in our images, and what is not: from their layers alone, nothing of them is run.
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "ava";
import { imagesPart } from "../build/images.ts";
import {
  faultsOf,
  foreignBinariesOf,
  missingOf,
  orphansOf,
  packagesIn,
  packagesOn,
  readBill,
} from "../kit/bill.ts";
import { readImage } from "../kit/image.ts";
import type { Image, ImageFile } from "../kit/image.ts";
import { checkout } from "../settings.ts";

/** Programs besides Node, and the most that it may take, MB of layers. */
interface Expected {
  readonly user: string;
  readonly programs: readonly string[];
  readonly megabytesMax: number;
}

const redirects = ["", "-save", "-restore"].flatMap((verb) => [
  `iptables${verb}`,
  `ip6tables${verb}`,
]);
const expected: Readonly<Record<string, Expected>> = {
  controller: { user: "1000:1000", programs: [], megabytesMax: 180 },
  injector: { user: "1000:1000", programs: [], megabytesMax: 180 },
  proxy: { user: "1337:1337", programs: [], megabytesMax: 140 },
  "proxy-init": {
    user: "0:0",
    programs: ["xtables-nft-multi", ...redirects].map((name) => `/usr/sbin/${name}`),
    megabytesMax: 135,
  },
  "app-a": { user: "1000:1000", programs: [], megabytesMax: 130 },
  "app-b": { user: "1000:1000", programs: [], megabytesMax: 130 },
  client: { user: "1000:1000", programs: [], megabytesMax: 130 },
  tour: { user: "1000:1000", programs: ["/usr/bin/tcpdump"], megabytesMax: 145 },
};

/** On a cluster that is not ours nobody built images; SIGNET_TEST_IMAGES names another layout. */
const named = process.env["SIGNET_TEST_IMAGES"] ?? "";
const areBuilt = named !== "" || process.env["SIGNET_TEST_RIG"] !== undefined;
const layout = areBuilt ? (named === "" ? await imagesPart() : named) : "";
const { version } = JSON.parse(readFileSync(path.join(checkout, "package.json"), "utf8")) as {
  version: string;
};

if (!areBuilt) test("images are looked at where they were built", (t) => t.pass());
for (const [name, facts] of areBuilt ? Object.entries(expected) : []) {
  const image = readImage(layout, `docker.io/signet/${name}:latest`);
  const { files } = image;
  const bill = readBill(image);

  test(`${name}: the bill of materials is what is in the image`, (t) => {
    t.deepEqual(orphansOf(bill, files), [], "files that nobody brought");
    t.deepEqual(foreignBinariesOf(bill, files), [], "programs and libraries of no package");
    t.deepEqual(missingOf(bill, files), [], "on the bill, and not there");
    t.deepEqual(packagesOn(bill), packagesIn(files));
    t.true(packagesOn(bill).length > 5);
    t.is(bill.metadata.component.name, bill.metadata.component["bom-ref"]);
    const [ours] = bill.components;
    t.deepEqual([ours?.name, ours?.version], ["signet", version]);
    const node = bill.components.find((each) => each.name === "node");
    t.true(node?.components?.some((part) => part.name === "openssl"));
  });

  test(`${name}: the bill of materials is well made`, (t) => {
    t.deepEqual(faultsOf(bill), []);
  });

  test(`${name}: a file that nobody brought would be noticed`, (t) => {
    const program = files.find((each) => each.path === "/usr/local/bin/node");
    const planted = { ...program!, path: "/usr/lib/planted.so" };
    t.deepEqual(orphansOf(bill, [...files, planted]), [planted.path]);
    const hidden = { ...program!, path: "/signet/lib/planted.so" };
    t.deepEqual(foreignBinariesOf(bill, [...files, hidden]), [hidden.path]);
    const { components } = bill;
    const shorter = { ...bill, components: components.filter((each) => each.name !== "zod") };
    t.notDeepEqual(packagesOn(shorter), packagesIn(files));
    t.true(orphansOf(shorter, files).includes("/signet/node_modules/zod/package.json"));
  });

  test(`${name}: has no program but Node and what it needs`, (t) => {
    const programs = ["/usr/local/bin/node", ...facts.programs].toSorted();
    t.deepEqual(
      pathsOf(files, (file) => /\/s?bin\//.test(outside(file))),
      programs,
    );
    const there = new Set(pathsOf(files));
    const startable = pathsOf(files, (file) => {
      const interpreter = /^#! *(\S+)/.exec(file.read(64).toString("latin1"))?.[1];
      return interpreter !== undefined && there.has(interpreter);
    });
    t.deepEqual(startable, []);
  });

  test(`${name}: nobody but root can change a file, and no file makes anybody root`, (t) => {
    t.deepEqual(
      pathsOf(files, ({ mode, kind }) => kind !== "folder" && (mode & 0o6000) !== 0),
      [],
    );
    t.deepEqual(
      pathsOf(files, ({ mode, kind }) => kind !== "link" && (mode & 0o022) !== 0),
      ["/tmp"],
    );
    t.is(files.find((each) => each.path === "/tmp")?.mode, 0o1777);
    t.deepEqual(
      pathsOf(files, ({ uid, gid }) => uid !== 0 || gid !== 0),
      [],
    );
    t.deepEqual(
      pathsOf(files, ({ kind }) => kind === "other"),
      [],
    );
  });

  test(`${name}: has no tests, no build's leavings, and no key`, (t) => {
    const left =
      /\.(?:test\.ts|d\.[cm]?ts|map|md)$|\/(?:golden|\.git|\.npm|\.cache)(?:\/|$)|\/fixture\.ts$|\.(?:key|pem|p12)$/i;
    t.deepEqual(
      pathsOf(files, (file) => left.test(file.path)),
      [],
    );
    const source = files.filter(({ path: each }) => /^\/signet\/.*\.ts$/.test(each));
    t.true(source.length > 5);
    const typed = source.filter((file) => !file.read().toString().endsWith(mark));
    t.deepEqual(pathsOf(typed), [], "source that would be stripped at each start");
  });

  test(`${name}: says who it is, and runs as ${facts.user}`, (t) => {
    t.is(image.user, facts.user);
    t.is(image.entrypoint[0], "node");
    const { labels } = image;
    t.is(labels["org.opencontainers.image.title"], `signet/${name}`);
    t.is(labels["org.opencontainers.image.version"], version);
    t.is(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    t.truthy(labels["org.opencontainers.image.description"]);
  });

  test(`${name}: is small`, (t) => {
    t.log(`${megabytes(image)} MB, of it Node ${megabytes(nodeOf(image))} MB`);
    t.true(image.size < facts.megabytesMax * 1e6);
  });
}

/** As tools/stripped.mjs has it, which is no TypeScript. */
const mark = "\n// Types were stripped.\n";

function pathsOf(
  files: readonly ImageFile[],
  matches: (file: ImageFile) => boolean = () => true,
): readonly string[] {
  return files.filter(matches).map((file) => file.path);
}

/** Packages bring folders called bin, too: scripts, whose interpreter is not there. */
function outside({ path: place, kind }: ImageFile): string {
  return kind === "folder" || place.includes("/node_modules/") ? "" : place;
}

function nodeOf(image: Image): { readonly size: number } {
  return image.files.find((each) => each.path === "/usr/local/bin/node") ?? { size: 0 };
}

function megabytes({ size }: { readonly size: number }): string {
  return (size / 1e6).toFixed(1);
}
