// The second opinion: openssl's own judgement on a chain.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { toPem } from "#/identity/bundle.ts";

/** "OK", or why openssl refuses the chain (leaf first) of a client at that time in milliseconds. */
export function opensslVerdict(
  chain: readonly Uint8Array[],
  anchors: readonly Uint8Array[],
  at: number,
): string {
  if (chain.length === 0) return "there is nothing to judge";
  const folder = mkdtempSync(path.join(tmpdir(), "signet-verify-"));
  try {
    const write = (name: string, list: readonly Uint8Array[]): string => {
      writeFileSync(path.join(folder, name), list.map(toPem).join(""));
      return path.join(folder, name);
    };
    const args = ["verify", "-attime", String(at / 1000), "-purpose", "sslclient"];
    args.push("-CAfile", write("roots", anchors), "-no-CApath", "-no-CAstore");
    if (chain.length > 1) args.push("-untrusted", write("untrusted", chain.slice(1)));
    execFileSync("openssl", [...args, write("leaf", chain.slice(0, 1))], { stdio: "pipe" });
    return "OK";
  } catch (thrown) {
    return String((thrown as { readonly stderr?: Buffer }).stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
