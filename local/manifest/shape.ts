// The shape of an object, written as a value: checks that report every fault with the path to it.
// What a shape does not name is a fault: a field that is passed over in silence would behave otherwise
// here than in a cluster, and nobody would be told.

export type Path = readonly (string | number)[];

export interface Fault {
  readonly path: Path;
  readonly message: string;
  /** Accepted, but without effect here. */
  readonly isWarning: boolean;
}

export type Check = (value: unknown, path: Path, report: (fault: Fault) => void) => void;

interface Required {
  readonly required: Check;
}

export function required(check: Check): Required {
  return { required: check };
}

/** Every fault of `value`, warnings among them; empty for a sound one. */
export function faultsOf(value: unknown, check: Check): readonly Fault[] {
  const faults: Fault[] = [];
  check(value, [], (found) => faults.push(found));
  return faults;
}

export function fault(path: Path, message: string): Fault {
  return { path, message, isWarning: false };
}

/** Only these fields. Further rules see the whole record, once each of its fields is sound. */
export function record(
  fields: Readonly<Record<string, Check | Required>>,
  rule: (value: Readonly<Record<string, unknown>>) => string | null = () => null,
): Check {
  return (value, path, report) => {
    if (!isRecord(value)) return report(fault(path, `is ${kindOf(value)}, not an object`));
    let count = 0;
    const counting = (found: Fault): void => {
      if (!found.isWarning) count += 1;
      report(found);
    };
    for (const [name, each] of Object.entries(value)) {
      const check = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (check === undefined) counting(fault([...path, name], "is not understood here"));
      // YAML writes an empty value as null; Kubernetes takes that for an absent field.
      else if (each !== null) checkOf(check)(each, [...path, name], counting);
    }
    for (const [name, check] of Object.entries(fields)) {
      const isMissing = value[name] === undefined || value[name] === null;
      if (typeof check !== "function" && isMissing) counting(fault([...path, name], "is missing"));
    }
    const broken = count === 0 ? rule(value) : null;
    if (broken !== null) report(fault(path, broken));
  };
}

/** Entries of a list, unless it says otherwise. */
const entriesMax = 1000;

export function listOf(
  check: Check,
  { min = 0, max = entriesMax }: { readonly min?: number; readonly max?: number } = {},
): Check {
  return (value, path, report) => {
    if (!Array.isArray(value)) return report(fault(path, `is ${kindOf(value)}, not a list`));
    if (value.length < min) report(fault(path, `has ${value.length} entries, fewer than ${min}`));
    if (value.length > max) return report(fault(path, `has ${value.length} entries, over ${max}`));
    for (const [index, each] of value.entries()) check(each, [...path, index], report);
  };
}

/** Any names, each value of one shape. */
export function mapOf(check: Check): Check {
  return (value, path, report) => {
    if (!isRecord(value)) return report(fault(path, `is ${kindOf(value)}, not an object`));
    for (const [name, each] of Object.entries(value)) check(each, [...path, name], report);
  };
}

export function text(pattern: RegExp = /^[\s\S]*$/, what: string = "of another form"): Check {
  return (value, path, report) => {
    if (typeof value !== "string") report(fault(path, `is ${kindOf(value)}, not a text`));
    else if (!pattern.test(value)) report(fault(path, `is ${shown(value)}: ${what}`));
  };
}

export function integer(min: number, max: number): Check {
  return (value, path, report) => {
    const isSound = Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
    if (!isSound) report(fault(path, `is ${shown(value)}, not a whole number ${min} to ${max}`));
  };
}

export const flag: Check = (value, path, report) => {
  if (typeof value !== "boolean") report(fault(path, `is ${kindOf(value)}, not true or false`));
};

export function oneOf(...values: readonly unknown[]): Check {
  return (value, path, report) => {
    if (values.includes(value)) return;
    report(fault(path, `is ${shown(value)}, not ${values.map(shown).join(" or ")}`));
  };
}

/** The first check that finds no fault decides; otherwise the last one's faults are told. */
export function either(...checks: readonly Check[]): Check {
  return (value, path, report) => {
    let faults: Fault[] = [];
    for (const check of checks) {
      faults = [];
      check(value, path, (found) => faults.push(found));
      if (faults.length === 0) return;
    }
    for (const found of faults) report(found);
  };
}

/** Any value: it changes nothing that a mesh on one machine would do otherwise. */
export const inert: Check = () => {};

/** Accepted, and told to be without effect. */
export function ignored(why: string): Check {
  return (_value, path, report) => {
    report({ path, message: `has no effect here: ${why}`, isWarning: true });
  };
}

/** Only its absence, or saying no. */
export const unsupported: Check = (value, path, report) => {
  if (value !== false) report(fault(path, "cannot be had without a cluster"));
};

/** "spec.containers[0].image". */
export function pathText(path: Path): string {
  return path
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`,
    )
    .join("");
}

function checkOf(check: Check | Required): Check {
  return typeof check === "function" ? check : check.required;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${shown(value)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
