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

/** Characters that wait for the end of their turn; with more they are written at once. */
const waitingMax = 65_536;

/** One for the whole process, so that lines stay in their order whoever says them. */
const destination = pino.destination({ fd: 2, sync: true, minLength: 0 });
let waiting = "";

const lines = {
  write(line: string): void {
    if (waiting === "") setImmediate(flush);
    waiting += line;
    if (waiting.length > waitingMax) flush();
  },
};

/** What waits is with the kernel when this returns. */
function flush(): void {
  if (waiting === "") return;
  const text = waiting;
  waiting = "";
  destination.write(text);
}

process.on("exit", flush);

/**
 * A log of process `name`. Lines of one turn of the event loop are written together: a rush says hundreds
 * in one. Warnings and errors are on stderr when the call returns, and with them what was
 * said before; the rest is at the turn's end, or the process's. A process that is killed loses one turn.
 */
export function createLog(name: string, level: LogLevel): Log {
  const logger = pino(
    { base: { process: name }, level, timestamp: pino.stdTimeFunctions.isoTime },
    lines,
  );
  const at =
    (method: "debug" | "info") =>
    (message: string, fields: LogFields = {}): void =>
      logger[method](fields, message);
  const atOnce =
    (method: "warn" | "error") =>
    (message: string, fields: LogFields = {}): void => {
      logger[method](fields, message);
      flush();
    };
  return { debug: at("debug"), info: at("info"), warn: atOnce("warn"), error: atOnce("error") };
}

/** Says nothing; for tests and for parts that were given no log. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
