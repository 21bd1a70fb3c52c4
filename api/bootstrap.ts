// What the pod was given to begin with: a token that says who it is, and a bundle file of which only
// the pinned roots count. Both are read afresh each time: kubelet replaces them.
import { open } from "node:fs/promises";
import path from "node:path";
import { rootsByPins } from "#/identity/links.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";

/** What the pod was given cannot be used. */
type BootstrapErrorCode = "bundle_unreadable" | "bundle_not_pinned" | "token_unreadable";
class BootstrapError extends MeshError<BootstrapErrorCode> {}

/** A projected token has some 1,200 characters. */
export const tokenBytesMax: number = 16 * 1024;
/** What a bundle may have as PEM text, see identity/bundle.ts; a ConfigMap may hold 1 MiB. */
const bundleBytesMax = 131_072;

/** Throws BootstrapError `token_unreadable`. */
export async function readToken(file: string): Promise<string> {
  const next = "See that the projected token volume is mounted";
  const token = (await readText(file, tokenBytesMax, "token_unreadable", next)).trim();
  if (token !== "") return token;
  throw new BootstrapError("token_unreadable", `Cannot use the token in "${file}": it is empty`, {
    next,
  });
}

/** Beside the bundle; see identity/links.ts. Absent until a root was replaced. */
const linksName = "links.pem";

/**
 * DER of the roots in `file` that are pinned, or that links beside it lead to from a pinned one at `now`;
 * never empty. The files are hints that anybody in the namespace may have edited: without a pinned root
 * there is no trust, and no falling back (attack case 19). Throws BootstrapError `bundle_unreadable` or
 * `bundle_not_pinned`.
 */
export async function readPinnedRoots(
  file: string,
  pins: readonly string[],
  now: number,
): Promise<readonly Uint8Array[]> {
  const next = "See that the ConfigMap signet-trust-bundle is in this namespace and mounted";
  const linksFile = path.join(path.dirname(file), linksName);
  // First: the bundle is not older than they are.
  const links = await readText(linksFile, bundleBytesMax, "bundle_unreadable", next, "");
  const bundle = await readText(file, bundleBytesMax, "bundle_unreadable", next);
  try {
    return rootsByPins({ bundle, links }, pins, now);
  } catch (error) {
    throw new BootstrapError("bundle_not_pinned", `Cannot trust "${file}": ${messageOf(error)}`, {
      cause: error,
      next: "Restart the pod to get the present pins, or see who changed the bundle",
    });
  }
}

/** Never reads more than `bytesMax` and one: a file that grows is no way to fill our memory. */
async function readText(
  file: string,
  bytesMax: number,
  code: BootstrapErrorCode,
  next: string,
  absent: string | null = null,
): Promise<string> {
  try {
    await using handle = await open(file);
    const buffer = Buffer.allocUnsafe(bytesMax + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) return buffer.toString("utf8", 0, length);
      length += bytesRead;
    }
  } catch (error) {
    if (absent !== null && (error as NodeJS.ErrnoException).code === "ENOENT") return absent;
    throw new BootstrapError(code, `Cannot read "${file}": ${messageOf(error)}`, {
      cause: error,
      next,
    });
  }
  throw new BootstrapError(code, `Cannot read "${file}": more than ${bytesMax} bytes`, { next });
}
