// The bundles of other trust domains over a restart: a file for each, in the controller's own folder. An
// endpoint of https_spiffe is believed by the bundle that was fetched last, and the first one, which stands in
// the object, may be long out of date by then.
import { hash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TrustDomain } from "#/identity/spiffe-id.ts";

export interface StoredBundle {
  readonly trustDomain: TrustDomain;
  /** Tells which federation it was fetched for, as `basisOf`: for another one it says nothing. */
  readonly basis: string;
  /** As it came. */
  readonly document: string;
  /** Milliseconds since the Unix epoch. */
  readonly fetchedAt: number;
}

export interface BundleStore {
  /** null: none, or one that cannot be read. */
  read(trustDomain: TrustDomain): StoredBundle | null;
  /** Throws Error. */
  write(stored: StoredBundle): void;
  remove(trustDomain: TrustDomain): void;
}

export function openBundleStore(folder: string): BundleStore {
  const fileOf = (trustDomain: TrustDomain): string =>
    path.join(folder, `${hash("sha256", trustDomain).slice(0, 32)}.json`);
  return {
    read(trustDomain) {
      try {
        const stored = JSON.parse(readFileSync(fileOf(trustDomain), "utf8")) as StoredBundle;
        const { basis, document, fetchedAt } = stored;
        const isWhole =
          typeof basis === "string" &&
          typeof document === "string" &&
          typeof fetchedAt === "number";
        return isWhole && stored.trustDomain === trustDomain ? stored : null;
      } catch {
        return null;
      }
    },
    write(stored) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const file = fileOf(stored.trustDomain);
      writeFileSync(`${file}.partial`, JSON.stringify(stored), { mode: 0o600 });
      renameSync(`${file}.partial`, file);
    },
    remove(trustDomain) {
      rmSync(fileOf(trustDomain), { force: true });
    },
  };
}
