// Answers the sidecar gives itself. Built once; the body says no more than the status does, the reason
// goes to log and metric.

const phrases = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  421: "Misdirected Request",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
} as const;

export type LocalStatus = keyof typeof phrases;

interface Replies {
  readonly closing: Buffer;
  readonly closingHead: Buffer;
  readonly keeping: Buffer;
  readonly keepingHead: Buffer;
}

const replies = new Map<LocalStatus, Replies>();
for (const [key, phrase] of Object.entries(phrases)) {
  const body = textOf(phrase);
  const head =
    `HTTP/1.1 ${key} ${phrase}\r\nserver: signet\r\n` +
    `content-type: text/plain\r\ncontent-length: ${body.length}\r\n`;
  const closing = `${head}connection: close\r\n\r\n`;
  const keeping = `${head}\r\n`;
  replies.set(Number(key) as LocalStatus, {
    closing: Buffer.from(closing + body, "latin1"),
    closingHead: Buffer.from(closing, "latin1"),
    keeping: Buffer.from(keeping + body, "latin1"),
    keepingHead: Buffer.from(keeping, "latin1"),
  });
}

function textOf(phrase: string): string {
  return `${phrase.toLowerCase()}\n`;
}

/** The content of the answer with this status. */
export function localReplyText(status: LocalStatus): string {
  return textOf(phrases[status]);
}

/** `100 Continue`, for a client that waits for it. */
export const CONTINUE: Buffer = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");

/**
 * A whole response, shared: never write into it. `toHead`: it answers HEAD, so without its body.
 * `close`: the connection ends after it, as it must when the request was not read to its end.
 */
export function localReply(status: LocalStatus, toHead: boolean, close: boolean): Buffer {
  const reply = replies.get(status)!;
  if (close) return toHead ? reply.closingHead : reply.closing;
  return toHead ? reply.keepingHead : reply.keeping;
}
