// Which release this is, as package.json says.
import { readFileSync } from "node:fs";

/** "0.1.0". */
export const signetVersion: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version?: unknown };
  return typeof version === "string" ? version : "unknown";
}
