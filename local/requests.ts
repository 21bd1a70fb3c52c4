// Reads what comes over the control socket into the records of protocol.ts, or says what is wrong.
import { messageOf } from "#/lib/errors.ts";
import { LocalError } from "./objects.ts";
import type { ContainerRequest, ExecRequest, ObjectReference } from "./protocol.ts";
import { faultsOf, listOf, oneOf, pathText, record, required, text } from "./manifest/shape.ts";
import type { Check } from "./manifest/shape.ts";

/** As many lines as a container's output keeps. */
export const tailMax = 400;
const tailDefault = 200;
/** What the kernel takes as one argument is less. */
const wordPattern = /^[^\0]{0,100000}$/;

const execShape = record({
  pod: required(text()),
  container: text(),
  command: required(listOf(text(wordPattern), { min: 1 })),
});

const containerShape = record({
  pod: required(text()),
  container: text(),
  action: required(oneOf("stop", "kill", "start")),
});

const referenceShape = record({
  kind: required(text()),
  namespace: required(text()),
  name: required(text()),
});

/** Throws LocalError. */
export function readExecRequest(body: string): ExecRequest {
  return read(body, execShape) as ExecRequest;
}

/** Throws LocalError. */
export function readContainerRequest(body: string): ContainerRequest {
  return read(body, containerShape) as ContainerRequest;
}

/** Throws LocalError. */
export function readObjectReference(body: string): ObjectReference {
  return read(body, referenceShape) as ObjectReference;
}

/** How many lines of a log; `tailDefault` when nothing is asked for. Throws LocalError. */
export function readTail(asked: string | null): number {
  if (asked === null) return tailDefault;
  if (/^[1-9]\d{0,5}$/.test(asked)) return Math.min(tailMax, Number(asked));
  throw invalid(`"tail" is ${JSON.stringify(asked.slice(0, 40))}, not a number of lines from 1`);
}

function read(body: string, shape: Check): unknown {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw invalid(messageOf(error));
  }
  const [first] = faultsOf(value, shape);
  if (first === undefined) return value;
  throw invalid(`${pathText(first.path)} ${first.message}`);
}

function invalid(why: string): LocalError {
  return new LocalError("object_invalid", `Cannot read the request: ${why}`);
}
