// `npm run bench -- profile`: one work on our own sidecars, then a flame graph of each.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { MeshError } from "#/lib/errors.ts";
import { subjectsOf } from "../field.ts";
import { applyLoad, awaitAnswers } from "../measure.ts";
import type { Reporter } from "../proxy-suite.ts";
import { startSubject } from "../subject.ts";
import type { Bench } from "../subject.ts";
import { works } from "../works.ts";
import type { Work } from "../works.ts";
import { foldProfile } from "./fold.ts";
import type { CpuProfile, Window } from "./fold.ts";
import { layOut } from "./layout.ts";
import type { ProfileOptions } from "./options.ts";
import { renderSvg } from "./svg.ts";

class ProfileError extends MeshError<"profile_missing"> {}

/** Narrower boxes are less than a pixel. */
const widthMin = 0.0005;
const warmUpS = 5;
/** V8 samples each millisecond. */
const framesMin = 100;

/** Returns the files that it wrote. `bench.profileFolder` must be set. Throws MeshError. */
export async function runProfile(
  bench: Bench & { readonly profileFolder: string },
  options: ProfileOptions,
  say: Reporter["say"],
): Promise<readonly string[]> {
  const work = works.find(({ name }) => name === options.work)!;
  const { sidecars, window } = await load(bench, work, options.seconds, say);
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true });
  return sidecars.map(({ side, pid }) => {
    const profile = profileOf(bench.profileFolder, pid);
    const root = foldProfile(profile, window, bench.projectFolder);
    if (root.totalUs < framesMin * 1000) {
      throw new ProfileError("profile_missing", `Cannot draw "${side}": it was hardly ever busy`);
    }
    const busy = ((100 * root.totalUs) / (window.toUs - window.fromUs)).toFixed(1);
    const file = `${folder}/${work.name}-${side}.svg`;
    const heading = {
      title: `${work.name}, ${side} sidecar`,
      subtitle: `busy for ${busy} % of ${options.seconds} s under load; Node ${process.versions.node}, main thread`,
    };
    writeFileSync(file, renderSvg(layOut(root, widthMin), heading));
    return file;
  });
}

interface Profiled {
  readonly sidecars: readonly { readonly side: "outbound" | "inbound"; readonly pid: number }[];
  readonly window: Window;
}

/** The sidecars write their profiles as they end, which they have when this resolves. */
async function load(
  bench: Bench,
  work: Work,
  seconds: number,
  say: Reporter["say"],
): Promise<Profiled> {
  const signet = subjectsOf(work).find(({ name }) => name === "signet")!;
  say(`${work.name}: starting our sidecars`);
  await using running = await startSubject(bench, signet, work.route);
  await awaitAnswers(bench, work, running);
  const pids = running.proxies.measured.map(({ pid }) => pid);
  const sidecars = pids.map((pid, index) => {
    // The caller's is started last.
    const side = index === pids.length - 1 ? ("outbound" as const) : ("inbound" as const);
    return { side, pid };
  });
  say(`${work.name}: warming up for ${warmUpS} s`);
  await applyLoad(bench, work, running, warmUpS);
  say(`${work.name}: profiling for ${seconds} s`);
  const fromUs = monotonicUs();
  await applyLoad(bench, work, running, seconds);
  return { sidecars, window: { fromUs, toUs: monotonicUs() } };
}

/** The clock that V8 counts by. */
const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** Node names the files CPU.DATE.TIME.PID.THREAD.NUMBER.cpuprofile; 0 is the main thread. */
function profileOf(folder: string, pid: number): CpuProfile {
  const name = readdirSync(folder).find((each) => each.includes(`.${pid}.0.`));
  if (name === undefined) {
    throw new ProfileError(
      "profile_missing",
      `Cannot find a profile of process ${pid} in "${folder}"`,
      {
        next: "It may have been killed before it could write one: is the machine very busy?",
      },
    );
  }
  return JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as CpuProfile;
}
