// The bill of materials of an image (CycloneDX 1.6), held against the files that are in it. Pure.
import type { Image, ImageFile } from "./image.ts";

export const billPath = "/signet/sbom.cdx.json";

export interface Component {
  readonly type: string;
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly Readonly<Record<string, unknown>>[];
  readonly components?: readonly Component[];
  readonly evidence: { readonly occurrences: readonly { readonly location: string }[] };
}

export interface Bill {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly version: number;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** Throws when the image has none. */
export function readBill(image: Image): Bill {
  const file = image.files.find((each) => each.path === billPath);
  if (file === undefined) throw new Error(`${billPath} is not there`);
  return JSON.parse(file.read().toString()) as Bill;
}

function locations(component: Component): readonly string[] {
  return component.evidence.occurrences.map(({ location }) => location);
}

/** Files and links that no component brought; the bill itself is of nobody else. */
export function orphansOf(bill: Bill, files: readonly ImageFile[]): readonly string[] {
  const owned = bill.components.flatMap(locations);
  return files
    .filter(({ kind, path }) => kind !== "folder" && path !== billPath)
    .map(({ path }) => path)
    .filter((path) => !owned.some((each) => path === each || path.startsWith(`${each}/`)));
}

/** Programs and libraries that neither Node nor a Debian package is said to have brought. */
export function foreignBinariesOf(bill: Bill, files: readonly ImageFile[]): readonly string[] {
  const bringers = bill.components.filter(({ purl = "" }) => /^pkg:(?:deb|generic)\//.test(purl));
  const brought = new Set(bringers.flatMap(locations));
  return files
    .filter(({ kind, path }) => kind === "file" && !brought.has(path))
    .filter((file) => file.read(4).toString("latin1") === "\x7fELF")
    .map(({ path }) => path);
}

/** What is on the bill and not in the image. */
export function missingOf(bill: Bill, files: readonly ImageFile[]): readonly string[] {
  const there = new Set(files.map(({ path }) => path));
  return bill.components.flatMap(locations).filter((location) => !there.has(location));
}

/** "FOLDER NAME VERSION" of each npm package, as the image's files have it. */
export function packagesIn(files: readonly ImageFile[]): readonly string[] {
  return files
    .filter(({ path }) => /\/node_modules\/(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
    .map((file) => {
      const { name, version } = JSON.parse(file.read().toString()) as Record<string, string>;
      return `${file.path.replace(/\/package\.json$/, "")} ${name} ${version}`;
    })
    .toSorted();
}

/** The same, as the bill has it. */
export function packagesOn(bill: Bill): readonly string[] {
  return bill.components
    .filter(({ purl = "" }) => purl.startsWith("pkg:npm/"))
    .map((component) => {
      const { group, name, version } = component;
      const fullName = group === undefined ? name : `${group}/${name}`;
      return `${locations(component).join(" ")} ${fullName} ${version}`;
    })
    .toSorted();
}

/** What is wrong with it as CycloneDX, in words; the fields that we write, and no others. */
export function faultsOf(bill: Bill): readonly string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, what: string): void => void (holds || faults.push(what));
  expect(bill.bomFormat === "CycloneDX" && bill.specVersion === "1.6", "format or version");
  expect(
    /^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(bill.serialNumber),
    "serial",
  );
  expect(bill.version === 1, "version");
  expect(bill.metadata.component.type === "container", "metadata.component");
  expect(!("timestamp" in bill.metadata), "a time, which makes it another at each build");
  const all = [bill.metadata.component, ...bill.components];
  const nested = [...all, ...bill.components.flatMap(({ components = [] }) => components)];
  const references = nested.map((each) => each["bom-ref"]);
  expect(new Set(references).size === references.length, "a bom-ref stands twice");
  for (const { name, version, type, hashes = [], purl = "" } of nested) {
    expect(/^(?:application|container|library|platform)$/.test(type), `type of ${name}`);
    expect(name !== "" && version !== "", `name and version of "${name}"`);
    for (const { alg, content } of hashes) {
      const digits = { "SHA-1": 40, "SHA-256": 64, "SHA-512": 128 }[alg];
      expect(/^[0-9a-f]+$/.test(content) && content.length === digits, `hash of ${name}`);
    }
    if (purl.startsWith("pkg:npm/")) expect(hashes.length === 1, `integrity of ${name}`);
  }
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const each of [ref, ...dependsOn]) expect(references.includes(each), `unknown "${each}"`);
  }
  return faults;
}
