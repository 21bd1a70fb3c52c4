// Calls and streams to the API server over HTTPS. Every call has a deadline and a limit of bytes, every
// stream a limit of silence; what fails is a KubernetesError. It knows no kinds.
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { RequestOptions } from "node:https";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { readText } from "#/lib/read-text.ts";
import { LineReader } from "../lines.ts";
import type { Access, Credentials } from "./credentials.ts";
import { KubernetesError, failureOf } from "./kubernetes-error.ts";

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the root of the API, each part of it already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Of the body; JSON when it is not told. */
  readonly contentType?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface StreamHandlers {
  /** The stream stands. */
  onOpen(): void;
  /** What it throws ends the stream; a KubernetesError is told as it is. */
  onLine(text: string): void;
}

export interface KubernetesClient {
  /** The parsed answer of a success. Rejects with KubernetesError. */
  call(request: ApiRequest): Promise<unknown>;
  /** Resolves when the server ends the stream; rejects with KubernetesError when it is cut or silent. */
  stream(request: ApiRequest, handlers: StreamHandlers): Promise<void>;
  /** Closes idle connections; calls that are under way are left to their deadlines. */
  close(): void;
}

/** What tools ask besides: logs are plain text. */
export interface KubernetesTextClient extends KubernetesClient {
  /** The answer of a success as it is. Rejects with KubernetesError. */
  text(request: ApiRequest): Promise<string>;
}

const callMs = 10_000;
const streamAnswerMs = 15_000;
/** A bookmark comes each minute; a server that says nothing for two is taken for a dead one. */
export const silenceMsMax = 130_000;
/** A page of 500 pods has some 5 MiB. */
const answerBytesMax = 134_217_728;
const refusalBytesMax = 65_536;
/** The store keeps objects below 1.5 MiB; as JSON they are larger. */
const lineBytesMax = 8_388_608;
/** Finds a machine that vanished: probes from then on, one each second, ten of them. */
const keepAliveMs = 10_000;
/** One for each watch, and some for calls. */
const connectionsMax = 64;

export function createKubernetesClient(access: Access, clock: Clock): KubernetesTextClient {
  return new Client(access, clock);
}

class Client implements KubernetesTextClient {
  readonly #access: Access;
  readonly #clock: Clock;
  #agent: Agent | null = null;
  #agentOf = "";

  constructor(access: Access, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  async call(request: ApiRequest): Promise<unknown> {
    const text = await this.text(request);
    try {
      return JSON.parse(text);
    } catch (thrown) {
      const state = `Cannot ${describe(request)}: the answer is not JSON`;
      throw new KubernetesError("unreadable", state, { cause: thrown });
    }
  }

  async text(request: ApiRequest): Promise<string> {
    const response = await this.#open(request, request.timeoutMs ?? callMs);
    return readSuccess(request, response);
  }

  async stream(request: ApiRequest, handlers: StreamHandlers): Promise<void> {
    const response = await this.#open(request, request.timeoutMs ?? streamAnswerMs, true);
    if (response.message.statusCode !== 200) {
      await readSuccess(request, response);
      throw unavailable(request, "the answer is no stream");
    }
    handlers.onOpen();
    await this.#readLines(request, response, handlers);
  }

  close(): void {
    this.#agent?.destroy();
    this.#agent = null;
  }

  #readLines(request: ApiRequest, { message }: Opened, handlers: StreamHandlers): Promise<void> {
    return new Promise((resolve, reject) => {
      const watchSilence = (): (() => void) =>
        this.#clock.after(silenceMsMax, () =>
          message.destroy(new Error(`silent for ${silenceMsMax} ms`)),
        );
      let cancel = watchSilence();
      const lines = new LineReader(
        {
          onLine: (text) => handlers.onLine(text),
          onTooLong: () => message.destroy(tooLong(request)),
        },
        lineBytesMax,
      );
      const abort = (): void => void message.destroy(new Error("stopped"));
      request.signal?.addEventListener("abort", abort, { once: true });
      message.on("data", (chunk: Buffer) => {
        cancel();
        cancel = watchSilence();
        try {
          lines.push(chunk);
        } catch (thrown) {
          message.destroy(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
        }
      });
      // What a handler throws ends the stream and is told as it is.
      message.on("error", (error) =>
        reject(
          error instanceof KubernetesError ? error : unavailable(request, messageOf(error), error),
        ),
      );
      message.on("close", () => {
        cancel();
        request.signal?.removeEventListener("abort", abort);
        if (message.complete) resolve();
        else reject(unavailable(request, "the connection was cut"));
      });
      if (request.signal?.aborted === true) abort();
    });
  }

  /** A connection that idled may have died unseen: then, and only then, it is tried on another one. */
  async #open(request: ApiRequest, timeoutMs: number, isStream = false): Promise<Opened> {
    const credentials = await this.#access.credentials();
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    const options: RequestOptions = {
      method: request.method,
      agent: this.#agentFor(credentials),
      headers: headersOf(request, body, credentials),
    };
    const attempt = (): Promise<Opened> => this.#send(request, options, body, timeoutMs, isStream);
    return attempt().catch((thrown: unknown) => {
      if (!(thrown instanceof StaleConnection)) throw thrown;
      return attempt().catch((again: unknown) => {
        throw again instanceof StaleConnection ? unavailable(request, again.message, again) : again;
      });
    });
  }

  #send(
    request: ApiRequest,
    options: RequestOptions,
    body: string | null,
    timeoutMs: number,
    isStream: boolean,
  ): Promise<Opened> {
    return new Promise((resolve, reject) => {
      const url = new URL(`${this.#access.server}${request.path}`);
      for (const [name, value] of Object.entries(request.query ?? {})) {
        url.searchParams.set(name, value);
      }
      const sent = httpsRequest(url, options);
      const abort = (): void => void sent.destroy(new Error("stopped"));
      const cancel = this.#clock.after(timeoutMs, () =>
        sent.destroy(new Error(`no answer in ${timeoutMs} ms`)),
      );
      const settle = (): void => {
        cancel();
        request.signal?.removeEventListener("abort", abort);
      };
      request.signal?.addEventListener("abort", abort, { once: true });
      sent.on("socket", (socket) => socket.setKeepAlive(true, keepAliveMs));
      sent.on("response", (message) => {
        // The deadline of a call covers its body; of a stream only its head.
        if (isStream) settle();
        resolve({ message, settle });
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        settle();
        const isStale = sent.reusedSocket && error.code === "ECONNRESET";
        reject(
          isStale
            ? new StaleConnection(error.message)
            : unavailable(request, messageOf(error), error),
        );
      });
      if (request.signal?.aborted === true) abort();
      sent.end(body ?? undefined);
    });
  }

  #agentFor({ ca, certificate, privateKey, serverName }: Credentials): Agent {
    const name = JSON.stringify([ca, certificate, privateKey, serverName]);
    if (this.#agent !== null && this.#agentOf === name) return this.#agent;
    const last = this.#agent;
    this.#agentOf = name;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: connectionsMax,
      ...(ca === "" ? {} : { ca }),
      ...(certificate === null ? {} : { cert: certificate }),
      ...(privateKey === null ? {} : { key: privateKey }),
      ...(serverName === null ? {} : { servername: serverName }),
    });
    last?.destroy();
    return this.#agent;
  }
}

interface Opened {
  readonly message: IncomingMessage;
  /** Ends the deadline. */
  readonly settle: () => void;
}

class StaleConnection extends Error {}

function headersOf(
  request: ApiRequest,
  body: string | null,
  { authorization }: Credentials,
): Record<string, string> {
  return {
    accept: "application/json, */*",
    "user-agent": "signet",
    ...(body === null
      ? {}
      : {
          "content-type": request.contentType ?? "application/json",
          "content-length": String(Buffer.byteLength(body)),
        }),
    ...(authorization === null ? {} : { authorization }),
  };
}

/** What is no success throws as what the answer says of it. */
async function readSuccess(request: ApiRequest, { message, settle }: Opened): Promise<string> {
  const status = message.statusCode ?? 0;
  const isSuccess = status >= 200 && status < 300;
  let text: string;
  try {
    text = await readBody(message, isSuccess ? answerBytesMax : refusalBytesMax);
  } catch (thrown) {
    throw unavailable(request, messageOf(thrown), thrown);
  } finally {
    settle();
  }
  if (isSuccess) return text;
  throw failureOf(describe(request), status, parsed(text));
}

/** null: a proxy in between says anything. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function readBody(message: IncomingMessage, bytesMax: number): Promise<string> {
  const text = await readText(message, bytesMax);
  if (text === null) throw new Error(`the answer has more than ${bytesMax} bytes`);
  return text;
}

function describe({ method, path }: ApiRequest): string {
  return `${method} ${path}`;
}

function tooLong(request: ApiRequest): KubernetesError {
  const state = `Cannot ${describe(request)}: a line has more than ${lineBytesMax} bytes`;
  return new KubernetesError("unreadable", state);
}

function unavailable(request: ApiRequest, state: string, cause?: unknown): KubernetesError {
  return new KubernetesError("unavailable", `Cannot ${describe(request)}: ${state}`, {
    next: "Nothing: it is tried again, and what is known stays in force",
    cause,
  });
}
