// The log as files (C2SP tlog-tiles), for the tools that exist: with /v1/log as their prefix they find the
// checkpoint, the tiles of hashes, and the entries in bundles.
import type { HeadSigner } from "#/ca/ledger/head-signer.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import type { Issuer } from "#/ca/issuer.ts";
import type { AdminReply, AdminRoute } from "#/lib/admin.ts";
import { entriesBytes, readTilePath, tileHeight, tileWidth } from "#/transparency/tile.ts";
import type { Tile } from "#/transparency/tile.ts";

export interface LogFilesOptions {
  readonly ledger: Pick<Ledger, "head" | "texts" | "tile">;
  readonly heads: Pick<HeadSigner, "sign">;
  /** The present issuer; throws when there is none that is valid. */
  readonly issuer: () => Issuer;
}

const prefix = "/v1/log/";

/** What is not there, or is pruned, is answered with 404. */
export function logFileRoutes(options: LogFilesOptions): Readonly<Record<string, AdminRoute>> {
  return {
    [`${prefix}checkpoint`]: () => checkpoint(options),
    [`${prefix}tile/`]: ({ pathname }) => file(options, pathname.slice(prefix.length)),
  };
}

function checkpoint({ ledger, heads, issuer }: LogFilesOptions): AdminReply {
  return text(200, heads.sign(ledger.head(), issuer()));
}

function file({ ledger }: LogFilesOptions, path: string): AdminReply {
  const found = readTilePath(path);
  const bytes =
    found === null ? null : found.isEntries ? bundle(ledger, found) : tile(ledger, found);
  if (bytes === null) return text(404, "no such file of the log\n");
  return { status: 200, contentType: "application/octet-stream", body: bytes };
}

function tile(ledger: Pick<Ledger, "tile">, { level, index, width }: Tile): Uint8Array | null {
  const hashes = ledger.tile(level * tileHeight, index * tileWidth, width);
  return hashes.length === width ? Buffer.concat(hashes) : null;
}

function bundle(ledger: Pick<Ledger, "texts">, { index, width }: Tile): Uint8Array | null {
  const from = index * tileWidth;
  const found = ledger.texts(from, from + width);
  return found.length === width ? entriesBytes(found.map((each) => Buffer.from(each))) : null;
}

function text(status: number, body: string): AdminReply {
  return { status, contentType: "text/plain; charset=utf-8", body };
}
