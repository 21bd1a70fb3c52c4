// The probe as a program, to be run where an endpoint can be reached: in the network namespace of the mesh on
// this machine. Reads its options as JSON from the command line, prints the handshake or the fault as JSON.
import { MeshError, messageOf } from "#/lib/errors.ts";
import { probe } from "./probe.ts";
import type { ProbeOptions } from "./probe.ts";

interface Given extends Omit<ProbeOptions, "roots"> {
  /** DER in base64. */
  readonly roots: readonly string[];
}

const given = JSON.parse(process.argv[2] ?? "") as Given;
const roots = given.roots.map((each) => new Uint8Array(Buffer.from(each, "base64")));
try {
  process.stdout.write(JSON.stringify({ handshake: await probe({ ...given, roots }) }));
} catch (thrown) {
  const { code, next } = thrown instanceof MeshError ? thrown : { code: "no_tls", next: "" };
  process.stdout.write(JSON.stringify({ fault: { code, message: messageOf(thrown), next } }));
}
