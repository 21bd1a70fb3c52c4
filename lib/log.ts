// The only file that imports pino. One JSON object a line on stderr; the message is constant, the
// facts are fields: src.addr src.identity dst.addr dst.service direction bytes_sent duration_ms
// verdict reason. Tokens and keys have no field: they cannot be logged by mistake.
import { pino } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log of process `name`. Written in batches off the hot path when `async`, flushed at exit. */
export function createLog(name: string, level: LogLevel, options: { async?: boolean } = {}): Log {
  const destination = pino.destination({ fd: 2, sync: options.async !== true, minLength: 0 });
  const logger = pino(
    { base: { process: name }, level, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
  const at =
    (method: "debug" | "info" | "warn" | "error") =>
    (message: string, fields: LogFields = {}): void =>
      logger[method](fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Says nothing; for tests and for parts that were given no log. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
