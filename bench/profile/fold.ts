// V8's .cpuprofile -> a tree of who called whom and how long. Pure.

/** The parts of V8's format that are used; times in microseconds of the machine's monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0; -1: none. */
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  /** The node on top at each sample. */
  readonly samples: readonly number[];
  /** From the sample before (the first: from startTime). */
  readonly timeDeltas: readonly number[];
}

export interface Frame {
  /** "function file:line"; what V8 puts in brackets is its own: garbage collector, native code. */
  readonly name: string;
  /** Of this function alone. */
  readonly selfUs: number;
  /** And of all that it called. */
  readonly totalUs: number;
  /** The longest first. */
  readonly children: readonly Frame[];
}

export interface Window {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Where a process that has nothing to do is. */
const idleName = "(idle)";

interface Growing {
  readonly name: string;
  selfUs: number;
  readonly children: Map<string, Growing>;
}

/**
 * The samples of a window as a tree, calls of the same function from the same place added up. Idle time is
 * left out. `root`: paths are written without it.
 */
export function foldProfile(profile: CpuProfile, { fromUs, toUs }: Window, root: string): Frame {
  const paths = pathsOf(profile, root);
  const tree: Growing = { name: "all", selfUs: 0, children: new Map() };
  let nowUs = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const deltaUs = profile.timeDeltas[index] ?? 0;
    nowUs += deltaUs;
    const path = paths.get(id) ?? [];
    if (nowUs < fromUs || nowUs > toUs || path.at(-1) === idleName) continue;
    let place = tree;
    for (const name of path) place = childOf(place, name);
    // V8's clock goes back by a little at times.
    place.selfUs += Math.max(0, deltaUs);
  }
  return finish(tree);
}

/** From the root's child down to the node itself, by id. */
function pathsOf({ nodes }: CpuProfile, root: string): Map<number, readonly string[]> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const paths = new Map<number, readonly string[]>();
  const [first] = nodes;
  if (first === undefined) return paths;
  const left: (readonly [number, readonly string[]])[] = [[first.id, []]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [id, path] = next;
    paths.set(id, path);
    for (const child of byId.get(id)?.children ?? []) {
      const node = byId.get(child);
      if (node !== undefined) left.push([child, [...path, nameOf(node.callFrame, root)]]);
    }
  }
  return paths;
}

function nameOf(
  { functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"],
  root: string,
): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const file = url.replace("file://", "").replace(`${root}/`, "");
  return `${name} ${file}:${lineNumber + 1}`;
}

function childOf(parent: Growing, name: string): Growing {
  let child = parent.children.get(name);
  if (child === undefined) {
    child = { name, selfUs: 0, children: new Map() };
    parent.children.set(name, child);
  }
  return child;
}

function finish({ name, selfUs, children }: Growing): Frame {
  const finished = [...children.values()]
    .map(finish)
    .toSorted((left, right) => right.totalUs - left.totalUs || (left.name < right.name ? -1 : 1));
  const totalUs = finished.reduce((sum, child) => sum + child.totalUs, selfUs);
  return { name, selfUs, totalUs, children: finished };
}
