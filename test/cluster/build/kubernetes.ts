// Kubernetes as one program with six names, from its Go module.
import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { downloadedModule, goPart } from "./go-module.ts";

const minor = 34;
const patch = 4;
const version = `v1.${minor}.${patch}`;
/** Modules that live in Kubernetes' own repository are published with this version. */
const stagingVersion = `v0.${minor}.${patch}`;

const names = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubectl",
  "kubelet",
];

/** The folder with all the programs. */
export function kubernetesPart(): Promise<string> {
  const stamp = "-X k8s.io/component-base/version";
  return goPart({
    name: "kubernetes",
    requires: { "k8s.io/kubernetes": version },
    linkerFlags: [
      `${stamp}.gitVersion=${version}`,
      `${stamp}.gitMajor=1`,
      `${stamp}.gitMinor=${minor}`,
    ],
    moreOfGoMod: async (go) => {
      const { GoMod: file } = await downloadedModule(go, `k8s.io/kubernetes@${version}`);
      return stagingReplacements(readFileSync(file, "utf8"));
    },
    finish: (folder) => {
      for (const name of names) symlinkSync("kubernetes", path.join(folder, name));
    },
  });
}

/** Kubernetes' go.mod points these modules into folders that its module does not contain. */
function stagingReplacements(goMod: string): string {
  const modules = [...goMod.matchAll(/^\s*(?:replace\s+)?(\S+)\s+=>\s+\.\/staging\//gm)];
  return modules.map(([, name]) => `replace ${name} => ${name} ${stagingVersion}\n`).join("");
}
