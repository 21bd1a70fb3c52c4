// Plain JavaScript, for building images: says what is in an image, as CycloneDX JSON on standard output. It
// looks at the files that will be in the image, and ends with 1 when there is one that belongs to nothing
// it knows. The same files give the same text: no clock, no chance.
//
//   node tools/bill-of-materials.mjs NAME ROOT OWNERS...
//
// NAME    of the image.
// ROOT    the image's root folder; the source and its packages are in ROOT/signet.
// OWNERS  lists of who brought the programs and libraries: path, Debian package, version, architecture and
//         source package, separated by tabs.
// In the working folder: package.json and package-lock.json.
import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";

const [name, root, ...ownerFiles] = process.argv.slice(2);
const source = "/signet";
const nodePath = "/usr/local/bin/node";
/** Written by the Dockerfile itself. */
const ownFiles = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];
/** What Node counts among its parts, and is no library. */
const notLibraries = new Set(["node", "modules", "napi", "unicode", "cldr", "tz"]);

const project = readJson("package.json");
const lock = readJson("package-lock.json");
const files = listFiles("/");
const packages = npmPackages();
const components = [signet(), node(), ...debian(), ...packages.map(({ component }) => component)];
refuseOrphans();
process.stdout.write(`${JSON.stringify(bill(), null, 1)}\n`);

function bill() {
  const metadata = {
    component: {
      type: "container",
      "bom-ref": `signet/${name}`,
      name: `signet/${name}`,
      version: project.version,
      licenses: licensesOf(project.license),
    },
  };
  const dependencies = graph();
  const content = { metadata, components, dependencies };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(content))}`,
    version: 1,
    ...content,
  };
}

/** Our own source, and what we wrote besides. */
function signet() {
  const own = readdirSync(inRoot(source))
    .filter((each) => each !== "node_modules")
    .map((each) => `${source}/${each}`);
  return {
    type: "application",
    "bom-ref": "signet",
    name: "signet",
    version: project.version,
    licenses: licensesOf(project.license),
    evidence: occurrences([...own, ...ownFiles.filter((each) => files.includes(each))]),
  };
}

/** Node as it is in the image, and the libraries that are compiled into it. */
function node() {
  const said = execFileSync(inRoot(nodePath), ["-p", "JSON.stringify(process.versions)"]);
  const { node: version, ...parts } = JSON.parse(said.toString());
  // A part that is not compiled in has no version.
  const libraries = Object.keys(parts).filter(
    (each) => parts[each] !== "" && !notLibraries.has(each),
  );
  return {
    type: "platform",
    "bom-ref": `pkg:generic/node@${version}`,
    name: "node",
    version,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    purl: `pkg:generic/node@${version}`,
    components: sorted(libraries).map((library) => ({
      type: "library",
      "bom-ref": `node/${library}`,
      name: library,
      version: parts[library],
    })),
    evidence: occurrences([nodePath]),
  };
}

/** Of the owners' files those that are in the image, by package. */
function debian() {
  const found = new Map();
  const lines = ownerFiles.flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
  for (const line of lines) {
    const [file, ...fields] = line.split("\t");
    if (!files.includes(file)) continue;
    const paths = found.get(fields.join("\t")) ?? [];
    if (!paths.includes(file)) paths.push(file);
    found.set(fields.join("\t"), paths);
  }
  return sorted(found.keys()).map((key) => {
    const [package_, version, architecture, from] = key.split("\t");
    const encoded = encodeURIComponent(version);
    const purl = `pkg:deb/debian/${package_}@${encoded}?arch=${architecture}&upstream=${from}`;
    return {
      type: "library",
      "bom-ref": purl,
      name: package_,
      version,
      purl,
      evidence: occurrences(found.get(key)),
    };
  });
}

/** Each folder that npm would call a package, with what the lock file knows of it. */
function npmPackages() {
  const folders = files
    .filter((file) => /\/node_modules\/(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(file))
    .map((file) => path.dirname(file));
  return sorted(folders).map((folder) => {
    const description = readJson(inRoot(`${folder}/package.json`));
    const { name: fullName, version, license } = description;
    const locked = lock.packages[path.relative(source, folder)];
    if (locked?.version !== version || locked.integrity === undefined) {
      fail(`${fullName} ${version} in ${folder} is not what package-lock.json names`);
    }
    const [algorithm, digest] = locked.integrity.split(" ")[0].split("-");
    const short = fullName.replace(/^@[^/]+\//, "");
    const purl = `pkg:npm/${fullName.replace("@", "%40")}@${version}`;
    const component = {
      type: "library",
      "bom-ref": `${path.relative(source, folder)}@${version}`,
      ...(short === fullName ? {} : { group: fullName.slice(0, -short.length - 1) }),
      name: short,
      version,
      hashes: [
        {
          alg: algorithm.replace("sha", "SHA-"),
          content: Buffer.from(digest, "base64").toString("hex"),
        },
      ],
      licenses: licensesOf(license),
      purl,
      evidence: occurrences([folder]),
    };
    const wanted = { ...description.dependencies, ...description.optionalDependencies };
    const needs = Object.keys({ ...wanted, ...description.peerDependencies });
    return { folder, needs, component };
  });
}

/** Who needs whom: the image holds all, and of packages what Node would find from where they are. */
function graph() {
  const folders = new Map(packages.map(({ folder, component }) => [folder, component["bom-ref"]]));
  const find = (wanted, from) => {
    for (let place = from; place.startsWith(source); place = path.dirname(place)) {
      const found = folders.get(`${place}/node_modules/${wanted}`);
      if (found !== undefined) return found;
    }
    return null;
  };
  const direct = Object.keys(project.dependencies).map((each) => find(each, source));
  return [
    { ref: `signet/${name}`, dependsOn: sorted(components.map((each) => each["bom-ref"])) },
    { ref: "signet", dependsOn: sorted(direct.filter((each) => each !== null)) },
    ...packages.map(({ folder, needs, component }) => ({
      ref: component["bom-ref"],
      dependsOn: sorted(new Set(needs.map((each) => find(each, folder)))).filter(
        (each) => each !== null && each !== component["bom-ref"],
      ),
    })),
  ];
}

function refuseOrphans() {
  const owned = components.flatMap(({ evidence }) =>
    evidence.occurrences.map(({ location }) => location),
  );
  const isOwned = (file) => owned.some((each) => file === each || file.startsWith(`${each}/`));
  const orphans = files.filter((file) => !isOwned(file));
  if (orphans.length > 0) fail(`nobody brought ${orphans.join(", ")}`);
}

/** Files and links below a folder of the image, as the image will name them, in order. */
function listFiles(folder) {
  const entries = readdirSync(inRoot(folder), { withFileTypes: true });
  return sorted(
    entries.flatMap((entry) => {
      const place = path.join(folder, entry.name);
      return entry.isDirectory() ? listFiles(place) : [place];
    }),
  );
}

function occurrences(locations) {
  return { occurrences: sorted(locations).map((location) => ({ location })) };
}

/** One identifier, an expression of several, or words that SPDX does not know. */
function licensesOf(license) {
  if (typeof license !== "string") return [];
  if (/^[\w.+-]+$/.test(license)) return [{ license: { id: license } }];
  return / (?:AND|OR|WITH) /.test(license)
    ? [{ expression: license }]
    : [{ license: { name: license } }];
}

/** A name-like UUID (version 8: by a digest of our own choice) of a text. */
function uuidOf(text) {
  const hex = hash("sha256", text, "hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

/** By code units, whatever the language of the machine. */
function sorted(texts) {
  return [...texts].toSorted((left, right) => (left < right ? -1 : Number(left > right)));
}

function inRoot(place) {
  return path.join(root, place);
}

function readJson(file) {
  if (!existsSync(file)) fail(`${file} is missing`);
  return JSON.parse(readFileSync(file, "utf8"));
}

function fail(state) {
  process.stderr.write(`Cannot say what is in ${name}: ${state}\n`);
  process.exit(1);
}
