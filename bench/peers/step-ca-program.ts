// step-ca from its Go module, built once into the bench's own folder.
import { existsSync } from "node:fs";
import { succeed } from "#/test/cluster/command.ts";
import { goEnvironment } from "#/test/cluster/build/go-module.ts";
import { goProgram } from "#/test/cluster/build/go-toolchain.ts";
import { step } from "#/test/cluster/progress.ts";

/** The version compared against; Go checks its digest with the public checksum database. */
export const stepCaVersion = "v0.30.2";
const command = "github.com/smallstep/certificates/cmd/step-ca";

/** Absolute path of the program. `folder` is the bench's own, git-ignored. Rejects when it cannot be built. */
export async function stepCaProgram(folder: string): Promise<string> {
  const own = `${folder}/step-ca-${stepCaVersion}`;
  const program = `${own}/step-ca`;
  if (existsSync(program)) return program;
  await step(`Building step-ca ${stepCaVersion} (some minutes the first time)`, async () => {
    const environment = { ...goEnvironment(), GOBIN: own };
    const parameters = ["install", "-trimpath", "-ldflags", "-s -w", `${command}@${stepCaVersion}`];
    await succeed(await goProgram(), parameters, { environment });
  });
  return program;
}
