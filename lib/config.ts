// Configuration is read once, at the edge: environment + schema -> a frozen record. All faults are
// reported together, each with the variable's name; unknown SIGNET_ variables are refused, so that a
// typing mistake cannot silently leave a default in force.
import { z } from "zod";
import { MeshError } from "./errors.ts";

export class ConfigError extends MeshError<"config_invalid"> {}

/** What Kubernetes adds for each Service of the pod's namespace (a Service may be named signet-*). */
const serviceLink =
  /_SERVICE_HOST$|_SERVICE_PORT(?:_[A-Z0-9_]+)?$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)?$/;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads `schema`'s variables from `environment`; throws ConfigError that lists every fault. */
export function readConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  environment: Environment,
): Readonly<z.output<z.ZodObject<Shape>>> {
  const known = new Set(Object.keys(schema.shape));
  const present = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => known.has(name) && value !== undefined),
  );
  const faults = Object.keys(environment)
    .filter((name) => name.startsWith("SIGNET_") && !known.has(name) && !serviceLink.test(name))
    .map((name) => `${name}: unknown variable`);
  const parsed = schema.safeParse(present);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      faults.push(`${issue.path.join(".")}: ${issue.message}`);
    }
  }
  if (!parsed.success || faults.length > 0) {
    throw new ConfigError("config_invalid", `Cannot start: ${faults.join("; ")}`, {
      next: "Correct the named environment variables and start again",
    });
  }
  return Object.freeze(parsed.data);
}

type NumberText = z.ZodPipe<z.ZodString, z.ZodCoercedNumber<string>>;

/** Decimal digits: an empty text must not be taken for 0, nor "0x50" for 80. */
const decimal = (): z.ZodString => z.string().regex(/^\d{1,9}(?:\.\d{1,3})?$/, "not a number");

export const port = (): NumberText =>
  decimal().pipe(z.coerce.number<string>().int().min(1).max(65535));

export const wholeNumber = (min: number, max: number): NumberText =>
  decimal().pipe(z.coerce.number<string>().int().min(min).max(max));

/** Seconds within the given bounds. */
export const seconds = (min: number, max: number): NumberText =>
  decimal().pipe(z.coerce.number<string>().min(min).max(max));

export const logLevel = (): z.ZodDefault<
  z.ZodEnum<{ debug: "debug"; info: "info"; warn: "warn"; error: "error"; silent: "silent" }>
> => z.enum(["debug", "info", "warn", "error", "silent"]).default("info");

/** A list separated by commas; empty parts are dropped. */
export const list = (): z.ZodPipe<z.ZodString, z.ZodTransform<string[], string>> =>
  z.string().transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );

export { z };
